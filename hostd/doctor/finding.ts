/** What one check found. */
export interface Finding {
  /** `note`: it works, and somebody should know. */
  state: 'good' | 'note' | 'bad';
  what: string;
  /** Lines for a shell that put it right. */
  fix?: readonly string[];
}

export function good(what: string): Finding {
  return { state: 'good', what };
}

export function note(what: string, fix?: readonly string[]): Finding {
  return { state: 'note', what, fix };
}

export function bad(what: string, fix?: readonly string[]): Finding {
  return { state: 'bad', what, fix };
}
