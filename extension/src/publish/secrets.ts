/** What looks like a secret in a cell: never its text, only where it is and what it looks like. */
export interface ISecret {
  /** Counted from 0 among all cells of the notebook. */
  cell: number;
  /** Counted from 1. */
  line: number;
  kind: SecretKind;
}

export type SecretKind = 'key' | 'password' | 'connection' | 'token';

// Names that are followed by a value in quotes; a value that is read from elsewhere (a call, a variable) is none.
const NAMED = /(?:^|[^a-z])(?:pass(?:word|wd|phrase)?|pwd|mot_?de_?passe|mdp)\w*["']?\s*[:=]\s*[rbuf]*(["'])(?!\1)(?:(?!\1).){3,}\1/i;
const NAMED_KEY =
  /(?:api|access|secret|private|account|shared|client)[_-]?(?:key|secret|token)\w*["']?\s*[:=]\s*[rbuf]*(["'])(?!\1)(?:(?!\1).){8,}\1/i;
const NAMED_TOKEN = /(?:^|[^a-z])(?:token|jeton|secret|bearer)\w*["']?\s*[:=]\s*[rbuf]*(["'])(?!\1)(?:(?!\1).){8,}\1/i;

const PATTERNS: readonly (readonly [SecretKind, RegExp])[] = [
  ['key', /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/],
  ['key', /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/],
  ['key', /\bAIza[0-9A-Za-z_-]{35}\b/],
  ['key', /\bsk-[A-Za-z0-9_-]{20,}/],
  ['token', /\bgh[pousr]_[A-Za-z0-9]{30,}\b|\bgithub_pat_[A-Za-z0-9_]{40,}/],
  ['token', /\bglpat-[A-Za-z0-9_-]{20,}/],
  ['token', /\bxox[abeoprs]-[A-Za-z0-9-]{10,}/],
  ['token', /\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}/],
  ['token', /\bBearer\s+[A-Za-z0-9._~+/-]{20,}/],
  ['key', /\bAccountKey=[A-Za-z0-9+/=]{20,}/i],
  // user:password@host; a placeholder in braces is filled in from elsewhere.
  ['connection', /\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@'"]*:(?!\{|\$|\*+@)[^\s@'"]+@[^\s'"]/i],
  ['connection', /\b(?:password|pwd)=(?!\{|\$|\*)[^;\s'"]{3,}/i],
  ['password', NAMED],
  ['key', NAMED_KEY],
  ['token', NAMED_TOKEN]
];

/** Return what looks like a secret in a notebook's cells, one find a line. */
export function secretsIn(cells: readonly string[]): ISecret[] {
  return cells.flatMap((source, cell) =>
    source.split('\n').flatMap((text, at) => {
      const found = PATTERNS.find(([, pattern]) => pattern.test(text));
      return found ? [{ cell, line: at + 1, kind: found[0] }] : [];
    })
  );
}
