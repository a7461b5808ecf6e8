import { IDataPilot } from '../tokens';
import { ApiError } from './errors';

/** Return the sentence of an error for the person; what it says of the connection is told to the session. */
export function sentenceOfError(datapilot: IDataPilot, error: unknown): string {
  datapilot.noticed(error);
  if (error instanceof ApiError) {
    return error.incident ? `${error.message} (${error.incident})` : error.message;
  }
  return datapilot.trans.__('DataPilot does not answer at the moment.');
}
