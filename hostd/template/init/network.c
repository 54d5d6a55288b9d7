#define _GNU_SOURCE
#include "network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int is_ethernet(int fd, struct ifreq *request) {
  return ioctl(fd, SIOCGIFHWADDR, request) == 0 && request->ifr_hwaddr.sa_family == ARPHRD_ETHER;
}

/* A list of interfaces costs a waking clone much more than the name it has in nearly every guest. */
static int first_interface(int fd, struct ifreq *request) {
  memset(request, 0, sizeof *request);
  strcpy(request->ifr_name, "eth0");
  if (is_ethernet(fd, request)) return 1;
  struct if_nameindex *all = if_nameindex();
  int found = 0;
  for (struct if_nameindex *each = all; each && each->if_index && !found; each++) {
    memset(request, 0, sizeof *request);
    snprintf(request->ifr_name, IFNAMSIZ, "%s", each->if_name);
    found = is_ethernet(fd, request);
  }
  if (all) if_freenameindex(all);
  return found;
}

typedef struct __attribute__((packed)) {
  struct ether_header head;
  uint16_t hardware, protocol;
  uint8_t hardware_size, protocol_size;
  uint16_t operation;
  uint8_t sender_mac[6], sender_ip[4], target_mac[6], target_ip[4];
} Announcement;

/* Gratuitous ARP: until the guest sends something, the switch (or slirp) delivers to the old address. */
static void announce(int fd, const char *name, const uint8_t *mac) {
  struct ifreq request = {0};
  snprintf(request.ifr_name, IFNAMSIZ, "%s", name);
  request.ifr_addr.sa_family = AF_INET;
  if (ioctl(fd, SIOCGIFADDR, &request)) return;
  const struct sockaddr_in *address = (const struct sockaddr_in *)&request.ifr_addr;
  Announcement packet = {.hardware = htons(ARPHRD_ETHER), .protocol = htons(ETHERTYPE_IP), .hardware_size = 6,
                         .protocol_size = 4, .operation = htons(ARPOP_REQUEST)};
  memset(packet.head.ether_dhost, 0xff, 6);
  memcpy(packet.head.ether_shost, mac, 6);
  packet.head.ether_type = htons(ETHERTYPE_ARP);
  memcpy(packet.sender_mac, mac, 6);
  memcpy(packet.sender_ip, &address->sin_addr, 4);
  memcpy(packet.target_ip, &address->sin_addr, 4);
  struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(name), .sll_halen = 6};
  memset(to.sll_addr, 0xff, 6);
  /* It receives nothing and stays open: the kernel waits for all its readers when such a socket is closed. */
  static int packets = -1;
  if (packets < 0) packets = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
  if (packets >= 0) sendto(packets, &packet, sizeof packet, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof to);
}

const char *network_set_mac(const char *text) {
  uint8_t mac[6];
  if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) != 6) return "mac";
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return "mac";
  struct ifreq request;
  const char *trouble = NULL;
  /* Early in a cold boot there is no interface yet; it will come up with the address the hypervisor gave it. */
  if (first_interface(fd, &request)) {
    if (memcmp(request.ifr_hwaddr.sa_data, mac, 6) != 0) {
      memcpy(request.ifr_hwaddr.sa_data, mac, 6);
      if (ioctl(fd, SIOCSIFHWADDR, &request)) trouble = "mac";
    }
    if (!trouble) announce(fd, request.ifr_name, mac);
  }
  close(fd);
  return trouble;
}
