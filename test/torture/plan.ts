import { createDice, type Dice } from './dice.ts';

// What a campaign is going to do, and when: a pure function of its seed, so that a seed that failed replays
// the same schedule. How it falls out still depends on how fast the machine is.

export const tenants = ['acme', 'globex'] as const;
export type Tenant = (typeof tenants)[number];

export const shapes = ['orders', 'events'] as const;
export type Shape = (typeof shapes)[number];

/** How often each kind comes, against the others. */
const faultWeights = {
  kill_worker: 7,
  freeze_worker: 5,
  freeze_worker_long: 2,
  kill_api: 4,
  freeze_api: 2,
  kill_temporal: 3,
  freeze_temporal: 3,
  kill_vendor_database: 4,
  kill_customer_database: 4,
  kill_own_database: 4,
  cut_source: 11,
  cut_destination: 11,
  stall_source: 5,
  stall_destination: 5,
  end_source_session: 8,
  end_destination_session: 8,
  time_out_source: 3,
  time_out_destination: 3,
  lose_commit_answer: 9,
  skew_clock: 4,
} as const;
export type FaultKind = keyof typeof faultWeights;

export interface PlannedFault {
  readonly atMs: number;
  readonly kind: FaultKind;
  /** How long a freeze, a stall or a time-out holds. */
  readonly holdMs: number;
  /** What is left to choose when it strikes: which worker, after how many bytes. */
  readonly choice: number;
}

const actWeights = {
  insert: 20,
  update: 45,
  tie: 12,
  turn_back: 8,
  hold: 8,
  roll_back: 4,
  delete: 3,
} as const;
export type ActKind = keyof typeof actWeights;

export interface PlannedAct {
  readonly atMs: number;
  readonly kind: ActKind;
  readonly tenant: Tenant;
  readonly shape: Shape;
  readonly rows: number;
  readonly holdMs: number;
  /** Decides which rows, and what is written. */
  readonly choice: number;
}

const transferWeights = { incremental: 60, full_refresh: 14, window: 14, cancelled: 12 } as const;
export type TransferKind = keyof typeof transferWeights;

export interface PlannedTransfer {
  readonly atMs: number;
  readonly kind: TransferKind;
  readonly tenant: Tenant;
  /** Until the cancellation; how far back a window reaches. */
  readonly spanMs: number;
}

export interface Round {
  readonly number: number;
  readonly lastsMs: number;
  readonly faults: readonly PlannedFault[];
  readonly acts: readonly PlannedAct[];
  readonly transfers: readonly PlannedTransfer[];
  /** When a model is given one more column, if it is. */
  readonly columnAtMs: number | undefined;
}

export interface CampaignSize {
  readonly faults: number;
  readonly seed: number;
  readonly faultsPerRound: number;
}

export function planCampaign({ faults, seed, faultsPerRound }: CampaignSize): Round[] {
  const rounds = Math.ceil(faults / faultsPerRound);
  return Array.from({ length: rounds }, (_, index) => {
    const left = faults - index * faultsPerRound;
    return planRound(seed, index + 1, Math.min(left, faultsPerRound));
  });
}

function planRound(seed: number, number: number, faultCount: number): Round {
  const diceFor = (purpose: string) => createDice(seed, `${purpose} of round ${number}`);
  const faults = planFaults(diceFor('faults'), faultCount);
  const lastsMs = (faults.at(-1)?.atMs ?? 0) + 1500;
  const columns = diceFor('columns');
  return {
    number,
    lastsMs,
    faults,
    acts: planActs(diceFor('acts'), lastsMs),
    transfers: planTransfers(diceFor('transfers'), lastsMs),
    columnAtMs: columns.next() < 0.35 ? columns.whole(0, lastsMs) : undefined,
  };
}

function planFaults(dice: Dice, count: number): PlannedFault[] {
  // Loads are under way when the first one strikes.
  let atMs = 2500;
  return Array.from({ length: count }, () => {
    atMs += dice.next() < 0.2 ? dice.whole(20, 300) : dice.whole(500, 3600);
    const kind = dice.weigh(faultWeights);
    const holdMs =
      kind === 'freeze_worker_long' ? dice.whole(30_000, 50_000) : dice.whole(1000, 9000);
    return { atMs, kind, holdMs, choice: dice.next() };
  });
}

function planActs(dice: Dice, lastsMs: number): PlannedAct[] {
  const acts: PlannedAct[] = [];
  for (let atMs = 0; atMs < lastsMs; atMs += dice.whole(40, 500)) {
    acts.push({
      atMs,
      kind: dice.weigh(actWeights),
      tenant: dice.pick(tenants),
      shape: dice.pick(shapes),
      rows: dice.pick([1, 3, 10, 40, 150, 400]),
      holdMs: dice.pick([200, 1500, 6000, 20_000, 45_000]),
      choice: dice.next(),
    });
  }
  return acts;
}

function planTransfers(dice: Dice, lastsMs: number): PlannedTransfer[] {
  return tenants.flatMap((tenant) => {
    const transfers: PlannedTransfer[] = [];
    for (let atMs = dice.whole(0, 500); atMs < lastsMs; atMs += dice.whole(6000, 16_000)) {
      const kind = dice.weigh(transferWeights);
      transfers.push({ atMs, kind, tenant, spanMs: dice.whole(300, 9000) });
    }
    return transfers;
  });
}
