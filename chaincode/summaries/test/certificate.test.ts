import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkCa, checkLeaf, checkOffice, checkPatientCa, clientAuth, documentSigning, isIssuedBy, readCertificate, readCertificateText, roleArc, roleMarks, type Role } from '../src/rules/certificate';
import { children, DerError, readBits, readBoolean, readDer, readOid, readTime, readUnsigned } from '../src/rules/der';
import { RuleError } from '../src/refusal';
import { bits, boolean, oid, sequence, time, tlv, utf8 } from './helpers/der';
import { mint, mintDer, newKeys, newRsaKeys, spkiOf, type CertificateForm, type Identity } from './helpers/pki';

const at = 1_790_000_000;
const dates = { notBefore: at - 1000, notAfter: at + 1000 };
const ca = mint({ name: 'CA', keys: newKeys(), ...dates, ca: true });
const leafForm = (more: Partial<CertificateForm> = {}): CertificateForm => ({ name: 'Dr Ada', keys: newKeys(), issuer: ca, ...dates, purposes: [documentSigning, roleMarks.doctor], ...more });
const office = (more: Partial<CertificateForm> = {}): (() => void) => {
  const { certificate } = mint(leafForm(more));
  return () => { checkOffice(certificate, 'doctor', [ca.certificate], at); };
};

test('readCertificate reads what the rules need', () => {
  const keys = newKeys();
  const { certificate } = mint(leafForm({ keys, name: '李医生' }));
  assert.equal(certificate.commonName, '李医生');
  assert.deepEqual([certificate.notBefore, certificate.notAfter], [dates.notBefore, dates.notAfter]);
  assert.deepEqual(certificate.spki, spkiOf(keys));
  assert.equal(certificate.keyKind, 'P-256');
  assert.equal(certificate.isCa, false);
  assert.deepEqual([...(certificate.keyUsage ?? [])], [0]);
  assert.deepEqual(certificate.extendedKeyUsage, [documentSigning, roleMarks.doctor]);
});

test('readCertificate tells kinds of keys apart', () => {
  assert.equal(mint(leafForm({ keys: newKeys('P-384') })).certificate.keyKind, 'OTHER');
  const rsa = mint(leafForm({ keys: newRsaKeys() })).certificate;
  assert.deepEqual([rsa.keyKind, rsa.rsaBits], ['RSA', 2048]);
});

test('readCertificateText refuses what is not exactly one DER certificate', () => {
  const der = mintDer(leafForm());
  for (const bad of [
    '', 'AAAA', der.toString('base64url'), der.toString('hex'), Buffer.concat([der, Buffer.from([0])]).toString('base64'), der.subarray(0, 200).toString('base64'),
    sequence(der).toString('base64'), Buffer.alloc(9000, 0x30).toString('base64'), `${der.toString('base64')}\n`,
  ]) assert.throws(() => readCertificateText(bad), RuleError);
  const flipped = Buffer.from(der);
  flipped[der.indexOf(Buffer.from('2a8648ce3d030107', 'hex')) + 7] = 0x22;
  assert.throws(() => readCertificate(flipped), RuleError);
});

test('A leaf with two common names has none', () => {
  assert.equal(mint(leafForm({ name: null })).certificate.commonName, null);
});

test('checkOffice accepts a leaf that a people CA issued directly', () => {
  office()();
  office({ ca: null })();
  office({ usage: [0, 1] })();
});

const officeFaults: Readonly<Record<string, Partial<CertificateForm>>> = {
  'another issuer\'s signature': { issuerKeys: newKeys() },
  'no issuer in the record': { issuer: mint({ name: 'Other', keys: newKeys(), ...dates, ca: true }) },
  'P-384': { keys: newKeys('P-384') },
  'RSA': { keys: newRsaKeys() },
  'an SHA-384 signature': { hash: 'sha384' },
  'a CA': { ca: true, usage: [0, 5] },
  'no KeyUsage': { usage: null },
  'KeyUsage without digitalSignature': { usage: [1] },
  'KeyUsage with keyCertSign': { usage: [0, 5] },
  'KeyUsage with keyAgreement': { usage: [0, 4] },
  'no common name': { name: null },
  'an empty common name': { name: ' ' },
  'another ExtendedKeyUsage': { purposes: [clientAuth] },
  'no ExtendedKeyUsage': { purposes: [] },
  'no mark': { purposes: [documentSigning] },
  'a registrar\'s mark': { purposes: [documentSigning, roleMarks.registrar] },
  'a status key\'s mark': { purposes: [documentSigning, roleMarks['status-key']] },
  'two marks': { purposes: [documentSigning, roleMarks.doctor, roleMarks.registrar] },
  'its mark twice': { purposes: [documentSigning, roleMarks.doctor, roleMarks.doctor] },
  'a mark that a later version may know': { purposes: [documentSigning, roleMarks.doctor, `${roleArc}.99`] },
  'the arc itself': { purposes: [documentSigning, roleMarks.doctor, roleArc] },
  'a longer mark': { purposes: [documentSigning, `${roleMarks.doctor}.1`] },
  'its mark without documentSigning': { purposes: [roleMarks.doctor] },
  'an unknown critical extension': { unknownCritical: true },
  'dates in the past': { notBefore: at - 2000, notAfter: at - 1 },
  'dates in the future': { notBefore: at + 1, notAfter: at + 2000 },
};
for (const [name, more] of Object.entries(officeFaults)) test(`checkOffice refuses ${name}`, () => { assert.throws(office(more), RuleError); });

test('checkOffice accepts each role by its own mark only, whatever else stands beside it', () => {
  const roles = Object.keys(roleMarks) as Role[];
  for (const marked of roles) {
    const { certificate } = mint(leafForm({ purposes: [roleMarks[marked], '1.3.6.1.5.5.7.3.4', documentSigning, `${roleArc}1`] }));
    for (const role of roles)
      if (role === marked) checkOffice(certificate, role, [ca.certificate], at);
      else assert.throws(() => { checkOffice(certificate, role, [ca.certificate], at); }, RuleError, `${marked} as ${role}`);
  }
});

test('A CA or a patient bears no mark', () => {
  for (const purposes of [[roleMarks.registrar], [documentSigning, `${roleArc}.99`], [roleArc]]) {
    assert.throws(() => { checkCa(mint({ name: 'x', keys: newKeys(), ...dates, ca: true, purposes }).certificate, at); }, RuleError);
    assert.throws(() => { checkPatientCa(mint({ name: 'x', keys: newKeys(), issuer: ca, ...dates, ca: true, pathLength: 0, purposes }).certificate, [ca.certificate], at); }, RuleError);
    assert.throws(() => { checkLeaf(mint(leafForm({ purposes: [clientAuth, ...purposes] })).certificate, clientAuth, null, at); }, RuleError);
  }
  checkCa(mint({ name: 'x', keys: newKeys(), ...dates, ca: true, purposes: [clientAuth] }).certificate, at);
});

test('checkOffice refuses a leaf of the patient CA: the bridge could mint a doctor', () => {
  const patientCa = mint({ name: 'Patients', keys: newKeys(), issuer: ca, ...dates, ca: true, pathLength: 0 });
  assert.throws(office({ issuer: patientCa }), RuleError);
});

test('checkOffice refuses an expired people CA', () => {
  const old = mint({ name: 'Old', keys: newKeys(), notBefore: at - 2000, notAfter: at - 1, ca: true });
  const { certificate } = mint(leafForm({ issuer: old }));
  assert.throws(() => { checkOffice(certificate, 'doctor', [old.certificate], at); }, RuleError);
});

test('checkLeaf at the very ends of the dates', () => {
  const { certificate } = mint(leafForm());
  checkLeaf(certificate, documentSigning, 'doctor', dates.notBefore);
  checkLeaf(certificate, documentSigning, 'doctor', dates.notAfter);
  assert.throws(() => { checkLeaf(certificate, documentSigning, 'doctor', dates.notAfter + 1); }, RuleError);
});

test('checkCa wants BasicConstraints and, where there is KeyUsage, keyCertSign', () => {
  checkCa(ca.certificate, at);
  checkCa(mint({ name: 'x', keys: newKeys(), ...dates, ca: true, usage: null }).certificate, at);
  assert.throws(() => { checkCa(mint(leafForm()).certificate, at); }, RuleError);
  assert.throws(() => { checkCa(mint({ name: 'x', keys: newKeys(), ...dates, ca: true, usage: [6] }).certificate, at); }, RuleError);
});

test('checkPatientCa wants path length 0 and an issuer that may issue CAs', () => {
  const patientCa = (more: Partial<CertificateForm>): Identity => mint({ name: 'Patients', keys: newKeys(), issuer: ca, ...dates, ca: true, ...more });
  checkPatientCa(patientCa({ pathLength: 0 }).certificate, [ca.certificate], at);
  for (const more of [{}, { pathLength: 1 }, { pathLength: 0, issuerKeys: newKeys() }, { pathLength: 0, ca: false }])
    assert.throws(() => { checkPatientCa(patientCa(more).certificate, [ca.certificate], at); }, RuleError);
  const leafOnly = mint({ name: 'Leaf CA', keys: newKeys(), ...dates, ca: true, pathLength: 0 });
  assert.throws(() => { checkPatientCa(patientCa({ pathLength: 0, issuer: leafOnly }).certificate, [leafOnly.certificate], at); }, RuleError);
});

test('isIssuedBy wants name and signature', () => {
  const { certificate } = mint(leafForm());
  assert.equal(isIssuedBy(certificate, ca.certificate), true);
  assert.equal(isIssuedBy(certificate, mint({ name: 'Other', keys: ca.keys, ...dates, ca: true }).certificate), false);
  assert.equal(isIssuedBy(ca.certificate, ca.certificate), true);
});

test('The DER reader refuses every second spelling', () => {
  const bad = {
    'indefinite length': Buffer.from('30800000', 'hex'), 'long form of a short length': Buffer.from('30810100', 'hex'), 'leading zero in a length': Buffer.from('3082000100', 'hex'), 'cut off': Buffer.from('300501', 'hex'),
    'a tag of several bytes': Buffer.from('1f8101', 'hex'), 'bytes after it': Buffer.from('300000', 'hex'), 'nothing': Buffer.alloc(0),
  };
  for (const [name, bytes] of Object.entries(bad)) assert.throws(() => readDer(bytes), DerError, name);
  assert.throws(() => readBoolean(readDer(tlv(1, Buffer.from([1])))), DerError);
  assert.equal(readBoolean(readDer(boolean(true))), true);
  assert.throws(() => readUnsigned(readDer(Buffer.from('020200ff', 'hex').subarray(0, 4).fill(0, 2, 4))), DerError);
  assert.throws(() => readUnsigned(readDer(Buffer.from('0201ff', 'hex'))), DerError);
  assert.throws(() => readBits(readDer(bits(Buffer.from([0xff]), 1))), DerError);
  assert.throws(() => readBits(readDer(tlv(3))), DerError);
  assert.throws(() => readOid(readDer(tlv(6, Buffer.from([0x80, 0x01])))), DerError);
  assert.throws(() => readOid(readDer(tlv(6, Buffer.from([0x81])))), DerError);
  assert.equal(readOid(readDer(oid('1.2.840.113549.1.1.1'))), '1.2.840.113549.1.1.1');
  assert.equal(readOid(readDer(oid('2.5.29.15'))), '2.5.29.15');
  assert.equal(children(readDer(sequence(utf8('a'), utf8('b')))).length, 2);
});

test('readTime reads both forms and nothing else', () => {
  assert.equal(readTime(readDer(time(at))), at);
  assert.equal(readTime(readDer(time(2_600_000_000))), 2_600_000_000);
  assert.equal(readTime(readDer(tlv(0x17, Buffer.from('491231235959Z')))), Date.UTC(2049, 11, 31, 23, 59, 59) / 1000);
  assert.equal(readTime(readDer(tlv(0x17, Buffer.from('500101000000Z')))), Date.UTC(1950, 0, 1) / 1000);
  for (const text of ['491231235959', '4912312359Z', '491331235959Z', '490230000000Z', '491231245959Z', '49123123595aZ', '491231235959+0000'])
    assert.throws(() => readTime(readDer(tlv(0x17, Buffer.from(text)))), DerError, text);
  assert.throws(() => readTime(readDer(tlv(0x18, Buffer.from('20260101000000.5Z')))), DerError);
  assert.throws(() => readTime(readDer(utf8('x'))), DerError);
});
