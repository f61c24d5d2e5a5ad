import { defineSignal } from '@temporalio/workflow';
import { messageNames } from '../domain/temporal-names.ts';

// To a transfer, which passes them on to its models.
export const pauseSignal = defineSignal(messageNames.pause);
export const resumeSignal = defineSignal(messageNames.resume);
