/** `team: lab, stage: test` as people type it; a name alone has the empty value. */
export function readLabels(text: string): Record<string, string> {
  const pairs = text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
    .map((each) => {
      const [name = '', ...rest] = each.split(/[:=]/);
      return [name.trim(), rest.join(':').trim()] as const;
    });
  return Object.fromEntries(pairs);
}
