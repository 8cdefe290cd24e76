#!/usr/bin/env node
// Prints the collections of the contract, in Fabric's own collections_config format, for a list of hospitals.
//
//   node network/lib/collections.mjs [--portal PortalMSP] HospitalAMSP HospitalBMSP … > collections.json
//   node network/lib/collections.mjs --policy HospitalAMSP HospitalBMSP …      the chaincode-level endorsement policy
//
// s_<H>    what hospital H and the portal share of H's patients: neither endorses it alone.
// w_<H>    tombstones of H's patients: either endorses them alone, so that either can always stop.
// doctors  the directory: every organisation holds it, a majority of the hospitals endorses it; the portal does not count.

const portalDefault = 'PortalMSP';
// An MSP id becomes part of a collection's name, which Fabric limits to [A-Za-z0-9_-].
const mspId = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** More than half of the hospitals' peers. @param {string[]} hospitals */
export function hospitalMajority(hospitals) {
  const needed = Math.floor(hospitals.length / 2) + 1;
  return `OutOf(${needed}, ${hospitals.map((h) => `'${h}.peer'`).join(', ')})`;
}

/** @param {string[]} hospitals @param {string} portal */
export function collections(hospitals, portal = portalDefault) {
  if (hospitals.length === 0) throw new Error('no hospital given: name at least one MSP id');
  for (const id of [...hospitals, portal]) {
    if (!mspId.test(id)) throw new Error(`'${id}' cannot be an MSP id here: use letters, digits, '_' and '-', at most 64`);
  }
  if (new Set([...hospitals, portal]).size !== hospitals.length + 1) {
    throw new Error(`an MSP id stands twice in: ${[...hospitals, portal].join(' ')}`);
  }
  const shared = { requiredPeerCount: 0, blockToLive: 0, memberOnlyRead: true, memberOnlyWrite: true };
  const members = (ids) => `OR(${ids.map((id) => `'${id}.member'`).join(', ')})`;
  const peers = (rule, ids) => ({ signaturePolicy: `${rule}(${ids.map((id) => `'${id}.peer'`).join(', ')})` });
  return [
    ...hospitals.flatMap((h) => [
      // Both endorsers hold the data already; were one dissemination required, nobody could withdraw while the other's peer is down.
      { name: `s_${h}`, policy: members([h, portal]), ...shared, maxPeerCount: 2, endorsementPolicy: peers('AND', [h, portal]) },
      { name: `w_${h}`, policy: members([h, portal]), ...shared, maxPeerCount: 2, endorsementPolicy: peers('OR', [h, portal]) },
    ]),
    {
      name: 'doctors',
      policy: members([...hospitals, portal]),
      ...shared,
      maxPeerCount: hospitals.length + 1,
      endorsementPolicy: { signaturePolicy: hospitalMajority(hospitals) },
    },
  ];
}

function main(args) {
  let portal = portalDefault;
  let policyOnly = false;
  const hospitals = [];
  for (let i = 0; i < args.length; i++) {
    if (args[i] === '--portal') portal = args[++i] ?? '';
    else if (args[i] === '--policy') policyOnly = true;
    else hospitals.push(args[i]);
  }
  const config = collections(hospitals, portal);
  console.log(policyOnly ? hospitalMajority(hospitals) : JSON.stringify(config, null, 2));
}

if (import.meta.url === new URL(process.argv[1] ?? '', 'file:').href) {
  try {
    main(process.argv.slice(2));
  } catch (error) {
    console.error(`collections: ${error.message}`);
    process.exit(2);
  }
}
