/** Nobody said what the document is now: its host does not answer, or not for now. What was good last may stand in. */
export class Away extends Error {}
