const ASK = /^%%?ask\b((?:\s+-{1,2}[\w-]+(?:[= ](?:"[^"]*"|'[^']*'|\S+))?)*)\s*([\s\S]*)$/;
const FLAGS = /(?:^|\s)(?:--no-chart|--new|--)(?=\s|$)/g;

/** Return the question of a cell's source; null: it is no %ask. */
export function questionOf(source: string): string | null {
  const line = source.trim();
  const whole = line.startsWith('%%ask');
  const found = ASK.exec(whole ? line : (line.split('\n').find(one => one.trim().startsWith('%ask')) ?? '').trim());
  if (!found) {
    return null;
  }
  // A flag takes no value: what the pattern took for one belongs to the question.
  const swallowed = /(?:--no-chart|--new|--)[= ](\S+)\s*$/.exec(found[1]);
  const question = `${swallowed ? swallowed[1] + ' ' : ''}${found[2]}`.replace(FLAGS, ' ').replace(/\s+/g, ' ').trim();
  return question || null;
}
