#ifndef LB_NETWORK_H
#define LB_NETWORK_H

/* Gives the first Ethernet interface this address (`52:54:00:…`) and announces it. Returns NULL or what failed. */
const char *network_set_mac(const char *text);
#endif
