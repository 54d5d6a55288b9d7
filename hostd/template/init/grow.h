#ifndef LB_GROW_H
#define LB_GROW_H

/* Grows the root file system (ext4) to its disk in a process of its own; returns at once, and does nothing when it fits. */
void grow_root(void);
#endif
