/** Whose turn it is after an error: sign in, wait, read, or nothing (it was stopped). */
export type ErrorKind = 'expired' | 'offline' | 'said' | 'cancelled';

/** What a request came to instead of its answer. `message` is a sentence for the person, already in their language. */
export class ApiError extends Error {
  constructor(
    readonly kind: ErrorKind,
    readonly code: string,
    message: string,
    readonly status: number = 0,
    readonly incident: string | null = null,
    readonly details: Record<string, unknown> = {}
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

/** An error object of the platform: one shape everywhere. */
export interface IErrorBody {
  error: { code: string; message: string; details: Record<string, unknown>; incident: string | null };
}

/** Tell whether something that came in is the platform's error object. */
export function isErrorBody(found: unknown): found is IErrorBody {
  const error = (found as { error?: unknown } | null)?.error;
  return typeof (error as { code?: unknown; message?: unknown } | null)?.message === 'string';
}

/** The codes by which the platform says that it does not answer now. */
const AWAY = new Set(['unreachable', 'unavailable']);

/** Return the platform's error as ours. */
export function saidBy(body: IErrorBody, status: number): ApiError {
  const { code, message, incident, details } = body.error;
  if (code === 'cancelled') {
    return new ApiError('cancelled', code, message, status);
  }
  if (code === 'not_signed_in') {
    return new ApiError('expired', code, message, status);
  }
  const kind: ErrorKind = AWAY.has(code) ? 'offline' : 'said';
  return new ApiError(kind, code, message, status, incident ?? null, details ?? {});
}
