import { html } from 'hono/html';
import type { ErrorCode } from '../domain/failure.ts';
import { explanations } from '../domain/error-codes.ts';
import { errorTitles, failurePolicies } from '../domain/failure.ts';
import { pageOfHtml } from './html-page.ts';

const blameWords = {
  first_party: 'the vendor, whose source it is',
  third_party: 'the customer, whose destination it is',
  host: 'whoever runs Waybill',
  unknown: 'not known',
} as const;

/** One section per public code; `documentation_url` of an error points at its anchor. */
export function renderErrors() {
  const codes = Object.keys(errorTitles) as ErrorCode[];
  return pageOfHtml(
    'Error codes of Waybill',
    html`<p>
        Each failed transfer, model and connection test carries one of these.
        <a href="/docs">API</a>
      </p>
      ${codes.map(section)}`,
  );
}

function section(code: ErrorCode) {
  const { cause, blame, remedy } = explanations[code];
  const kinds = Object.entries(failurePolicies).filter(([, policy]) => policy.code === code);
  return html`<section id="WBL-${code}">
    <h2>WBL-${code}: ${errorTitles[code]}</h2>
    <p>Cause: ${cause}</p>
    <p>To act: ${blame}.</p>
    <p>Remedy: ${remedy}</p>
    ${kinds.length > 0 && html`<p>In logs and figures:</p>`}
    <ul>
      ${kinds.map(
        ([kind, policy]) =>
          html`<li>
            <code>${kind}</code>: ${policy.remedy} To act: ${blameWords[policy.blame]}.
          </li>`,
      )}
    </ul>
  </section>`;
}
