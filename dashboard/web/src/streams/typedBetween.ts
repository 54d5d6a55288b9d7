/** What a keyboard on the screen did to a field: it took away so many characters at the end, then wrote. */
export interface Typed {
  erased: number;
  written: string;
}

/** Such keyboards say no keys: they complete, correct and swipe, and only the text before and after tells what they meant. */
export function typedBetween(before: string, after: string): Typed {
  const [was, is] = [Array.from(before), Array.from(after)];
  let same = 0;
  while (same < was.length && same < is.length && was[same] === is[same]) same += 1;
  return { erased: was.length - same, written: is.slice(same).join('') };
}
