/** "Firefox, Linux" of what browsers call themselves. */
export function browserName(userAgent: string): string {
  const browser = /(Edg|Firefox|Chrome|Safari)\/[\d]+/.exec(userAgent)?.[1]?.replace('Edg', 'Edge');
  const system = /(Windows|Android|iPhone|iPad|Mac OS X|Linux)/.exec(userAgent)?.[1];
  return [browser, system].filter(Boolean).join(', ') || userAgent.slice(0, 60);
}
