import { createAccount } from './account.ts';
import { startInstallation } from './installation.ts';
import { planCampaign, type CampaignSize, type Shape } from './plan.ts';
import { playRound, type RoundResult } from './round.ts';
import { setUpShipments } from './shipments.ts';
import { createWriter } from './writer.ts';

export interface CampaignOptions extends CampaignSize {
  /** Of the vendor at the start, per tenant and table. */
  readonly rows: Readonly<Record<Shape, number>>;
  /** Empty, and of this campaign alone. */
  readonly folder: string;
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal;
}

export interface CampaignResult {
  readonly rounds: readonly RoundResult[];
  readonly differences: readonly string[];
}

/** Plays round after round, and stops after the first in which a promise was broken. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const { folder, say, seed, signal } = options;
  const rounds = planCampaign(options);
  say('Starting three Postgres servers, Temporal, the API and two workers …');
  await using installation = await startInstallation({ folder, say });
  const account = createAccount(installation);
  say("Making the vendor's tables, models and destinations …");
  const shipments = await setUpShipments(installation, account, options.rows);
  const writer = createWriter({ shipments, rows: options.rows });
  await using _ = { [Symbol.asyncDispose]: () => writer.end() };
  const name = `seed-${seed}`;
  const field = { installation, account, shipments, writer, name, trailEnds: new Map(), say };
  const results: RoundResult[] = [];
  for (const round of rounds) {
    signal?.throwIfAborted();
    say(`Round ${round.number} of ${rounds.length}: ${round.faults.length} faults`);
    const result = await playRound(field, round);
    results.push(result);
    say(tellRound(result));
    if (result.differences.length > 0) break;
  }
  return { rounds: results, differences: results.flatMap(({ differences }) => differences) };
}

function tellRound(result: RoundResult): string {
  const { transfers, batches, rowsCompared, settleMs, acts, differences } = result;
  return (
    `         ${transfers} transfers, ${acts} writes, ${batches} batches; settled after ` +
    `${(settleMs / 1000).toFixed(1)} s; ${rowsCompared} rows compared, ${differences.length} differences`
  );
}
