/** As much as may be under way is: that is the asker's own, and says nothing of what they asked for. */
export class NoPlace extends Error {}
