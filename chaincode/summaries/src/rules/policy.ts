import { common, msp } from '@hyperledger/fabric-protos';

/** A SignaturePolicyEnvelope that asks for `needed` of the peers of these organisations. The same bytes for the same list. */
export function peerPolicy(needed: number, organisations: readonly string[]): Buffer {
  const rules = organisations.map((_, i) => {
    const signedBy = new common.SignaturePolicy();
    signedBy.setSignedBy(i);
    return signedBy;
  });
  const nOutOf = new common.SignaturePolicy.NOutOf();
  nOutOf.setN(needed);
  nOutOf.setRulesList(rules);
  const rule = new common.SignaturePolicy();
  rule.setNOutOf(nOutOf);
  const identities = organisations.map((organisation) => {
    const role = new msp.MSPRole();
    role.setMspIdentifier(organisation);
    role.setRole(msp.MSPRole.MSPRoleType.PEER);
    const principal = new msp.MSPPrincipal();
    principal.setPrincipalClassification(msp.MSPPrincipal.Classification.ROLE);
    principal.setPrincipal(role.serializeBinary());
    return principal;
  });
  const envelope = new common.SignaturePolicyEnvelope();
  envelope.setVersion(0);
  envelope.setRule(rule);
  envelope.setIdentitiesList(identities);
  return Buffer.from(envelope.serializeBinary());
}

/** Bodies: either organisation can purge. */
export const eitherPolicy = (hospital: string, portal: string): Buffer => peerPolicy(1, [hospital, portal]);

/** Tombstones: neither can take one away. */
export const bothPolicy = (hospital: string, portal: string): Buffer => peerPolicy(2, [hospital, portal]);
