import { useCallback, useEffect, useState } from 'react';
import { fromBase64 } from '@bridge/shared/bytes';
import { keysOf, type StoredKey } from '@bridge/shared/keys';
import { get } from '../api';
import { useSession } from '../session';

export type Standing = 'Active' | 'Pending' | 'Revoked' | 'Expired' | 'Lost' | 'Unknown';

export interface Certificate {
  readonly thumbprint: string;
  readonly handle: string;
  readonly name: string;
  readonly certificate: string;
  readonly keyId: string;
  readonly standing: Standing;
  readonly notAfter: string;
  readonly expiring: boolean;
  readonly revokedBecause: string | null;
  readonly lostAt: string | null;
}

export interface KeyRequest {
  readonly keyId: string;
  readonly state: 'Open' | 'Declined' | 'Withdrawn';
  readonly reason: string | null;
  readonly askedAt: string;
}

export interface KeyState {
  readonly certificates: readonly Certificate[];
  readonly requests: readonly KeyRequest[];
  readonly stored: readonly StoredKey[];
}

/** A key of this browser together with the certificate that lets it sign. */
export interface Signer {
  readonly key: StoredKey;
  readonly certificate: Certificate;
  readonly der: Uint8Array;
}

/** The doctor's keys: those of this browser, those of others, and what became of requests. Looks again every few seconds while something is on its way. */
export function useKeys(): { readonly state: KeyState | null; readonly signer: Signer | null; readonly reload: () => void } {
  const { me } = useSession();
  const owner = me.licence ?? me.name;
  const [state, setState] = useState<KeyState | null>(null);
  const [turn, setTurn] = useState(0);
  const reload = useCallback(() => setTurn((n) => n + 1), []);

  useEffect(() => {
    let current = true;
    const look = async () => {
      const [answer, stored] = await Promise.all([get<Omit<KeyState, 'stored'>>('/api/keys', turn > 0), keysOf(owner).catch(() => [])]);
      if (current) setState({ ...answer, stored });
    };
    void look().catch(() => undefined);
    return () => {
      current = false;
    };
  }, [owner, turn]);

  const signer = state === null ? null : signerOf(state);
  // A key without a working certificate, or an end that the ledger has not confirmed: something is on its way.
  const waiting = state !== null && (state.stored.some((key) => !state.certificates.some((one) => one.keyId === key.id && one.standing !== 'Pending')) || state.certificates.some((one) => one.standing === 'Lost'));
  useEffect(() => {
    if (!waiting) return undefined;
    const timer = setInterval(reload, 3000);
    return () => clearInterval(timer);
  }, [waiting, reload]);

  return { state, signer, reload };
}

/** The newest key of this browser whose certificate works: a renewed one takes the old one's place when it is confirmed, and not before. */
function signerOf(state: KeyState): Signer | null {
  for (const key of state.stored) {
    const certificate = state.certificates.find((candidate) => candidate.keyId === key.id && candidate.standing === 'Active');
    if (certificate !== undefined) return { key, certificate, der: fromBase64(certificate.certificate) };
  }
  return null;
}

/** Why this browser cannot sign, or that it soon cannot; null where all is well. */
export type Trouble =
  | { readonly kind: 'expiring'; readonly at: string; readonly renewing: boolean }
  | { readonly kind: 'revoked'; readonly because: string | null }
  | { readonly kind: 'expired'; readonly at: string }
  | { readonly kind: 'lost' | 'pending' | 'waiting' | 'elsewhere' | 'none' };

export function troubleOf(state: KeyState, signer: Signer | null): Trouble | null {
  const certificateOf = (key: StoredKey) => state.certificates.find((one) => one.keyId === key.id);
  const waiting = state.stored.some((key) => certificateOf(key) === undefined && state.requests.some((one) => one.keyId === key.id && one.state === 'Open'));
  const pending = state.stored.some((key) => certificateOf(key)?.standing === 'Pending');
  if (signer !== null) return signer.certificate.expiring ? { kind: 'expiring', at: signer.certificate.notAfter, renewing: waiting || pending } : null;
  if (pending) return { kind: 'pending' };
  if (waiting) return { kind: 'waiting' };
  const here = state.stored.map(certificateOf).find((one) => one !== undefined);
  if (here?.standing === 'Revoked') return { kind: 'revoked', because: here.revokedBecause };
  if (here?.standing === 'Expired') return { kind: 'expired', at: here.notAfter };
  if (here?.standing === 'Lost') return { kind: 'lost' };
  return { kind: state.certificates.some((one) => one.standing === 'Active') ? 'elsewhere' : 'none' };
}
