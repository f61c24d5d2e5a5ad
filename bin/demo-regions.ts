/** The tenants of the demo: where a flight began. The first two become recipients and hold most rows. */
export type Region = 'west' | 'east' | 'outlying';

/** The states west of the Mississippi, those it runs through included. */
const western = new Set(
  'AR AZ CA CO IA ID KS LA MN MO MT ND NE NM NV OK OR SD TX UT WA WY'.split(' '),
);
const outlying = new Set('AK AS GU HI MP NA PR VI'.split(' '));

/** The region of a state. An airport whose state is not known counts as outlying. */
export function regionOf(state: string | undefined): Region {
  if (state === undefined || outlying.has(state)) return 'outlying';
  return western.has(state) ? 'west' : 'east';
}

/** The state by airport code, from the airports file that comes with the flights. */
export function readAirportStates(csv: string): Map<string, string> {
  const states = new Map<string, string>();
  for (const line of csv.split('\n').slice(1)) {
    // iata,name,city,state,…: a name may stand in quotes because it holds a comma.
    const [, code, state] =
      /^([^,]+),(?:"[^"]*"|[^,]*),(?:"[^"]*"|[^,]*),([^,]*),/.exec(line) ?? [];
    if (code !== undefined && state !== undefined) states.set(code, state);
  }
  return states;
}
