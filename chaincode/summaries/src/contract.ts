import { Context, Contract, Info, Transaction } from 'fabric-contract-api';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { initConsortium, approveHospital, proposeHospital, readConsortium, readHospitalRecord } from './directory/hospitals';
import { confirmDoctor, listDoctors, proposeDoctor, publishStatus, readDoctor, readStatus, revokeDoctor } from './directory/doctors';
import { FabricLedger, type Ledger } from './ledger';
import { discardRequests, enrolPatient, readEnrolments, requestEnrolment } from './patients/enrolment';
import { readPatient, sweepIndex, withdrawConsent } from './patients/withdrawal';
import { anchorSummaries } from './records/anchor';
import { listSummaries, readEvents, readSummaries, readSummary } from './records/read';
import { eraseSummary, retractSummary } from './records/retire';
import { Refusal } from './refusal';
import { checkClock, Session } from './session';

/** This organisation's own consortium.json: BRIDGE_CONSORTIUM_FILE, or beside the package (peer-launched chaincode gets no environment). */
function ownConsortiumFile(): string | null {
  const path = process.env['BRIDGE_CONSORTIUM_FILE'] ?? join(__dirname, '..', 'consortium.json');
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

type Update = (session: Session, ...args: string[]) => Promise<string>;

/** An update: the endorser's clock may refuse it. */
async function update(ctx: Context, run: Update, ...args: string[]): Promise<string> {
  const ledger = new FabricLedger(ctx.stub);
  checkClock(ledger, Date.now() / 1000);
  return run(await Session.open(ledger), ...args);
}

/** A read: evaluate only. */
async function read(ctx: Context, run: Update, ...args: string[]): Promise<string> {
  const ledger: Ledger = new FabricLedger(ctx.stub);
  return run(await Session.open(ledger), ...args);
}

/** The functions of the contract; the rules stand in the modules that they call. Public arguments only: what is private comes in the transient map. */
@Info({ title: 'summaries', description: 'Summaries that a hospital and a doctor signed' })
export class SummariesContract extends Contract {
  public constructor() {
    super('summaries');
  }

  @Transaction()
  public async InitConsortium(ctx: Context, json: string): Promise<string> {
    const ledger = new FabricLedger(ctx.stub);
    checkClock(ledger, Date.now() / 1000);
    return initConsortium(ledger, json, ownConsortiumFile);
  }

  @Transaction()
  public async ProposeHospital(ctx: Context, record: string): Promise<string> {
    return update(ctx, proposeHospital, record);
  }

  @Transaction()
  public async ApproveHospital(ctx: Context, msp: string, seq: string, approval: string): Promise<string> {
    return update(ctx, approveHospital, msp, seq, approval);
  }

  @Transaction()
  public async ProposeDoctor(ctx: Context, hospital: string): Promise<string> {
    return update(ctx, proposeDoctor, hospital);
  }

  @Transaction()
  public async ConfirmDoctor(ctx: Context, hospital: string): Promise<string> {
    return update(ctx, confirmDoctor, hospital);
  }

  @Transaction()
  public async RevokeDoctor(ctx: Context, hospital: string): Promise<string> {
    return update(ctx, revokeDoctor, hospital);
  }

  @Transaction()
  public async PublishStatus(ctx: Context, hospital: string): Promise<string> {
    return update(ctx, publishStatus, hospital);
  }

  @Transaction()
  public async RequestEnrolment(ctx: Context, hospital: string): Promise<string> {
    return update(ctx, requestEnrolment, hospital);
  }

  @Transaction()
  public async EnrolPatient(ctx: Context, hospital: string): Promise<string> {
    return update(ctx, enrolPatient, hospital);
  }

  @Transaction()
  public async DiscardRequests(ctx: Context, hospital: string): Promise<string> {
    return update(ctx, discardRequests, hospital);
  }

  @Transaction()
  public async AnchorSummaries(ctx: Context, hospital: string): Promise<string> {
    return update(ctx, anchorSummaries, hospital);
  }

  @Transaction()
  public async RetractSummary(ctx: Context, hospital: string): Promise<string> {
    return update(ctx, retractSummary, hospital);
  }

  @Transaction()
  public async EraseSummary(ctx: Context, hospital: string): Promise<string> {
    return update(ctx, eraseSummary, hospital);
  }

  @Transaction()
  public async WithdrawConsent(ctx: Context, hospital: string): Promise<string> {
    return update(ctx, withdrawConsent, hospital);
  }

  @Transaction()
  public async SweepIndex(ctx: Context, hospital: string): Promise<string> {
    return update(ctx, sweepIndex, hospital);
  }

  @Transaction(false)
  public async ReadConsortium(ctx: Context): Promise<string> {
    return read(ctx, (session) => Promise.resolve(readConsortium(session)));
  }

  @Transaction(false)
  public async ReadHospital(ctx: Context, msp: string): Promise<string> {
    return read(ctx, readHospitalRecord, msp);
  }

  @Transaction(false)
  public async ReadDoctor(ctx: Context): Promise<string> {
    return read(ctx, readDoctor);
  }

  @Transaction(false)
  public async ListDoctors(ctx: Context, hospital: string): Promise<string> {
    return read(ctx, listDoctors, hospital);
  }

  @Transaction(false)
  public async ReadStatus(ctx: Context, hospital: string, part: string): Promise<string> {
    return read(ctx, readStatus, hospital, part);
  }

  @Transaction(false)
  public async ReadSummary(ctx: Context, hospital: string): Promise<string> {
    return read(ctx, readSummary, hospital);
  }

  @Transaction(false)
  public async ReadSummaries(ctx: Context, hospital: string): Promise<string> {
    return read(ctx, readSummaries, hospital);
  }

  @Transaction(false)
  public async ListSummaries(ctx: Context, hospital: string): Promise<string> {
    return read(ctx, listSummaries, hospital);
  }

  @Transaction(false)
  public async ReadEnrolments(ctx: Context, hospital: string): Promise<string> {
    return read(ctx, readEnrolments, hospital);
  }

  @Transaction(false)
  public async ReadPatient(ctx: Context, hospital: string): Promise<string> {
    return read(ctx, readPatient, hospital);
  }

  @Transaction(false)
  public async ReadEvents(ctx: Context, hospital: string): Promise<string> {
    return read(ctx, readEvents, hospital);
  }

  public override unknownTransaction(): Promise<void> {
    return Promise.reject(new Refusal('UNKNOWN_FUNCTION', 'the contract has no such function'));
  }
}
