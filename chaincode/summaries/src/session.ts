import { RuleError, Refusal, refuse } from './refusal';
import { readCertificate, type Certificate } from './rules/certificate';
import { digest, isMsp } from './rules/encoding';
import { majorityOf, readHospital, type Consortium, type Hospital } from './rules/hospital';
import { parseJson, type JsonObject } from './rules/json';
import type { Ledger } from './ledger';

/** A transaction whose timestamp is further than this from the endorser's clock is refused (seconds). */
export const clockTolerance = 15 * 60;

/** Collections of a hospital H: bodies (H and portal together) and tombstones (either). */
export const bodiesOf = (hospital: string): string => `s_${hospital}`;
export const tombsOf = (hospital: string): string => `w_${hospital}`;
export const doctorsCollection = 'doctors';

/** The clock may refuse; it never enters a write. */
export function checkClock(ledger: Ledger, now: number): void {
  if (Math.abs(ledger.time - now) > clockTolerance) refuse('CLOCK_SKEW', 'the transaction timestamp is more than 15 minutes from the endorser\'s clock');
}

/** One call: the consortium, the hospitals it needs, and who asks. */
export class Session {
  private readonly loaded = new Map<string, Hospital>();
  private creatorRead: Certificate | null = null;

  private constructor(
    public readonly ledger: Ledger,
    public readonly consortium: Consortium,
  ) {}

  public static async open(ledger: Ledger): Promise<Session> {
    const stored = await ledger.getPublic('consortium');
    if (stored === null) refuse('NOT_INITIALISED', 'InitConsortium has not been called');
    return new Session(ledger, parseStored(stored) as unknown as Consortium);
  }

  public get portal(): string {
    return this.consortium.portal;
  }

  /** Thumbprint of the creator's certificate. */
  public get creatorThumbprint(): string {
    return digest(this.ledger.creator.der);
  }

  public get creatorCertificate(): Certificate {
    try {
      return (this.creatorRead ??= readCertificate(this.ledger.creator.der));
    } catch (error) {
      if (error instanceof RuleError) throw new Refusal('NOT_BRIDGE', `the creator's certificate: ${error.message}`);
      throw error;
    }
  }

  public get majority(): number {
    return majorityOf(this.consortium.hospitals.length);
  }

  /** The record in force of a registered hospital, or UNKNOWN_HOSPITAL. */
  public async hospital(msp: string): Promise<Hospital> {
    const known = this.loaded.get(msp) ?? (await this.find(msp));
    if (known === null) refuse('UNKNOWN_HOSPITAL', 'no hospital is registered under this MSP id');
    return known;
  }

  /** As hospital; null where it is not registered. */
  public async find(msp: string): Promise<Hospital | null> {
    if (!isMsp(msp) || !this.consortium.hospitals.includes(msp)) return null;
    const stored = await this.ledger.getPublic(`hospital/${msp}`);
    if (stored === null) return null;
    const hospital = readHospital(parseStored(stored));
    this.loaded.set(msp, hospital);
    return hospital;
  }

  public async allHospitals(): Promise<Hospital[]> {
    const all: Hospital[] = [];
    for (const msp of this.consortium.hospitals) all.push(await this.hospital(msp));
    return all;
  }

  public requireBridgeOf(hospital: Hospital): void {
    if (this.ledger.creator.msp !== hospital.msp || !hospital.bridges.includes(this.creatorThumbprint))
      refuse('NOT_BRIDGE', 'only a registered bridge of this hospital may do this');
  }

  /** A bridge of any hospital; returns which. */
  public async requireAnyBridge(): Promise<Hospital> {
    const own = await this.find(this.ledger.creator.msp);
    if (own === null) refuse('NOT_BRIDGE', 'only a registered bridge may do this');
    this.requireBridgeOf(own);
    return own;
  }

  public requirePortal(): void {
    if (!this.isPortal) refuse('NOT_PORTAL', 'only the portal organisation may do this');
  }

  public requireBridgeOrPortal(hospital: Hospital): void {
    if (!this.isPortal) this.requireBridgeOf(hospital);
  }

  /** A client of a member organisation of the hospital's collections. */
  public requireMember(hospital: Hospital): void {
    if (!this.isPortal && this.ledger.creator.msp !== hospital.msp) refuse('NOT_MEMBER', 'only this hospital and the portal may read this');
  }

  /** A client of any organisation of the consortium. */
  public requireConsortiumMember(): void {
    if (!this.isPortal && !this.consortium.hospitals.includes(this.ledger.creator.msp)) refuse('NOT_MEMBER', 'only organisations of the consortium may read this');
  }

  private get isPortal(): boolean {
    return this.ledger.creator.msp === this.consortium.portal;
  }
}

/** A value that the contract itself stored under a policy that no single organisation satisfies. */
export function parseStored(value: Buffer): JsonObject {
  return parseJson(value, 32).value as JsonObject;
}
