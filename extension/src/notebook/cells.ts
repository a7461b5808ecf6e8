import { Answer } from '../protocol';

/** What is inserted: the answer, the question it answers, and its source's name. */
export interface IWhat {
  answer: Answer;
  question: string;
  source: string;
}

export type Form = 'ask' | 'sql' | 'frame';

/** Return a value as an option of a magic takes it: quoted, by the quotes that it does not hold. */
export function quoted(value: string): string {
  return value.includes('"') ? `'${value.replace(/'/g, '’')}'` : `"${value}"`;
}

/** Return a Python name for a question: « Ventes par région » is `ventes_par_region`. */
export function nameOf(question: string, taken: ReadonlySet<string> = new Set()): string {
  const small = new Set(['le', 'la', 'les', 'de', 'du', 'des', 'd', 'l', 'un', 'une', 'quel', 'quelle', 'quels', 'quelles', 'est', 'sont', 'the', 'of', 'a', 'what', 'is', 'are']);
  const words = question
    .normalize('NFD')
    .replace(/[\u0300-\u036f]/g, '')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter(word => word && !small.has(word));
  let made = words.slice(0, 5).join('_').slice(0, 40).replace(/_+$/, '') || 'resultat';
  if (/^[0-9]/.test(made)) {
    made = `r_${made}`;
  }
  let name = made;
  for (let number = 2; taken.has(name); number++) {
    name = `${made}_${number}`;
  }
  return name;
}

/** A cell as far as it may have opened a source. */
export interface IAbove {
  source: string;
  /** It was run, at some time. */
  ran: boolean;
}

/**
 * Return whether cells above the place of an answer open its source: the cell that does nothing else, which is run again with
 * what is inserted (the kernel may have been restarted since); true: a cell that does more, and was run; false: none does.
 */
export function openedBy(above: readonly IAbove[], source: string): number | boolean {
  const lines = [`%datapilot source ${quoted(source)}`, `%datapilot use ${quoted(source)}`];
  for (let at = above.length - 1; at >= 0; at--) {
    if (lines.includes(above[at].source.trim())) {
      return at;
    }
  }
  return above.some(cell => cell.ran && lines.some(line => cell.source.includes(line)));
}

/** Return the cells that put an answer into a notebook. `connected`: a cell before them has opened the source. */
export function cellsFor(form: Form, what: IWhat, connected: boolean, taken: ReadonlySet<string> = new Set()): string[] {
  const { answer, question, source } = what;
  const cells = connected ? [] : [`%datapilot source ${quoted(source)}`];
  const flat = question.replace(/\s+/g, ' ').trim();
  const from = `-s ${quoted(source)}`;
  // An edited reading or SQL is not what the question says: what ran is what is kept.
  const asQuestion = form === 'ask' && flat !== '' && answer.engine !== 'plan' && answer.engine !== 'sql';
  if (asQuestion) {
    return [...cells, `%ask ${from} ${flat.startsWith('-') ? '-- ' : ''}${flat}`];
  }
  const title = flat ? `-- ${flat}\n` : '';
  if (form === 'frame') {
    const name = nameOf(flat, taken);
    return [...cells, `%%sql ${from} -o ${name}\n${title}${answer.pretty_sql}`, `df_${name} = ${name}.df\ndf_${name}`];
  }
  return [...cells, `%%sql ${from}\n${title}${answer.pretty_sql}`];
}
