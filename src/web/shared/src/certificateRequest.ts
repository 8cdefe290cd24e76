import { concat, utf8, type Bytes } from './bytes';

/** DER (X.690): tag, length, content. */
function der(tag: number, ...content: readonly Uint8Array[]): Bytes {
  const body = concat(...content);
  const length = body.length < 0x80 ? [body.length] : body.length < 0x100 ? [0x81, body.length] : [0x82, body.length >> 8, body.length & 0xff];
  return concat(Uint8Array.of(tag, ...length), body);
}

const sequence = (...content: readonly Uint8Array[]): Bytes => der(0x30, ...content);

function oid(dotted: string): Bytes {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const digits = (value: number): number[] => {
    const bytes = [value & 0x7f];
    for (let left = value >>> 7; left > 0; left >>>= 7) bytes.unshift((left & 0x7f) | 0x80);
    return bytes;
  };
  return der(0x06, Uint8Array.from([first * 40 + second, ...rest].flatMap(digits)));
}

const commonName = oid('2.5.4.3');
const ecdsaWithSha256 = oid('1.2.840.10045.4.3.2');

/** What a doctor's certificate is for: signing documents, as a doctor of the consortium (the marks of roles stand in the contract's README). */
const doctorPurposes = [oid('1.3.6.1.5.5.7.3.36'), oid('1.2.840.113556.1.8000.2554.64687.39339.27686.18757.43763.8999527.15962029.1')];
const extendedKeyUsage = sequence(oid('2.5.29.37'), der(0x04, sequence(...doctorPurposes)));
const extensionRequest = sequence(oid('1.2.840.113549.1.9.14'), der(0x31, sequence(extendedKeyUsage)));

/** r and s of 32 bytes each as the DER sequence of two integers. */
function signatureDer(p1363: Uint8Array): Bytes {
  const integer = (bytes: Uint8Array): Bytes => {
    let from = 0;
    while (from < bytes.length - 1 && bytes[from] === 0) from++;
    const short = bytes.slice(from);
    return der(0x02, (short[0] ?? 0) & 0x80 ? concat(Uint8Array.of(0), short) : short);
  };
  return sequence(integer(p1363.slice(0, 32)), integer(p1363.slice(32)));
}

/**
 * A doctor's certificate request (PKCS #10, RFC 2986) for a P-256 key: it says a name and the role, holds the public key, and is signed with the private one, so that whoever certifies
 * it knows that the asker has the key.
 */
export async function certificateRequest(name: string, keys: CryptoKeyPair): Promise<Bytes> {
  const spki = new Uint8Array(await crypto.subtle.exportKey('spki', keys.publicKey));
  const info = sequence(
    der(0x02, Uint8Array.of(0)),
    sequence(der(0x31, sequence(commonName, der(0x0c, utf8(name))))),
    spki,
    der(0xa0, extensionRequest),
  );
  const signature = new Uint8Array(await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, keys.privateKey, info));
  return sequence(info, sequence(ecdsaWithSha256), der(0x03, Uint8Array.of(0), signatureDer(signature)));
}
