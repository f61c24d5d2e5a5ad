// The one file the worker bundles: every workflow type that a history may name.
export { deliverNotice } from './deliver-notice.ts';
export { destinationQueue } from './destination-queue.ts';
export { integrityJob } from './integrity-job.ts';
export { probe } from './probe.ts';
export { reconcile } from './reconcile.ts';
export { runModel } from './run-model.ts';
export { scheduledTransfer } from './scheduled-transfer.ts';
export { runTransfer } from './run-transfer.ts';
