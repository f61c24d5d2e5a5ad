import type { ModelPlan } from '../api/model-plan.ts';

/** A plan as people read it, below the line of its file. */
export function planLines(plan: ModelPlan): string[] {
  const { counts, destinations } = plan;
  const fields = plan.changed_fields.filter((field) => field !== 'columns');
  const named = destinations.length;
  const concerned = counts.change + counts.first_load + counts.refused;
  return [
    ...plan.added_columns.map((name) => `  + ${name}`),
    ...plan.removed_columns.map(
      (name) => `  - ${name}: stays at the destinations, with no new values`,
    ),
    ...(plan.change === 'update' && fields.length > 0 ? [`  ~ ${fields.join(', ')}`] : []),
    ...(plan.starts_over ? ['  every copy starts over: it is a copy of something else then'] : []),
    `  ${counts.destinations} destinations: ${counts.change} change, ${counts.first_load} load anew, ` +
      `${counts.refused} refuse, ${counts.none} stay as they are`,
    ...destinations.map(destinationLine),
    ...(concerned > named ? [`    and ${concerned - named} more`] : []),
  ];
}

function destinationLine(one: ModelPlan['destinations'][number]): string {
  const what = {
    none: 'nothing',
    change: [
      ...one.added_columns.map((column) => `+ ${column}`),
      ...one.widened_columns.map((column) => `${column} widens`),
      ...one.columns_no_longer_written.map((column) => `- ${column}`),
    ].join(', '),
    first_load: 'loads anew',
    refused: `refuses: ${one.reason ?? ''}`,
  }[one.action];
  return `    ${one.name}: ${what === '' ? 'comments' : what}`;
}
