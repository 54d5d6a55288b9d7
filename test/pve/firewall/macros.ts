const names =
  'Amanda Auth BGP BitTorrent BitTorrent32 CVS Ceph Citrix DAAP DCC DHCPfwd DHCPv6 DNS Distcc FTP Finger GNUnet GRE Git HKP HTTP HTTPS ICPV2 ICQ IMAP IMAPS IPIP IPsec IPsecah IPsecnat IRC Jetdirect L2TP LDAP LDAPS MDNS MSNP MSSQL Mail Munin MySQL NNTP NNTPS NTP NeighborDiscovery OSPF OpenVPN PBS PCA PMG POP3 POP3S PPtP Ping PostgreSQL Printer RDP RIP RNDC Razor Rdate Rsync SANE SMB SMBswat SMTP SMTPS SNMP SPAMD SPICEproxy SSH SVN SixXS Squid Submission Syslog TFTP Telnet Telnets Time Trcrt VNC VNCL Web Webcache Webmin Whois';

export const macroNames = names.split(' ');

const byLowerCase = new Map(macroNames.map((name) => [name.toLowerCase(), name]));

/** A macro's name as PVE spells it. */
export function preferredMacro(name: string): string | undefined {
  return byLowerCase.get(name.toLowerCase());
}

/** What macros of one rule already say: a rule that uses them may not say otherwise. */
export const macroSays: Record<string, { proto: string; dport: string }> = {
  FTP: { proto: 'tcp', dport: '21' },
  HTTP: { proto: 'tcp', dport: '80' },
  HTTPS: { proto: 'tcp', dport: '443' },
  IMAP: { proto: 'tcp', dport: '143' },
  IMAPS: { proto: 'tcp', dport: '993' },
  LDAP: { proto: 'tcp', dport: '389' },
  LDAPS: { proto: 'tcp', dport: '636' },
  MySQL: { proto: 'tcp', dport: '3306' },
  NTP: { proto: 'udp', dport: '123' },
  POP3: { proto: 'tcp', dport: '110' },
  Ping: { proto: 'icmp', dport: 'echo-request' },
  PostgreSQL: { proto: 'tcp', dport: '5432' },
  RDP: { proto: 'tcp', dport: '3389' },
  SMTP: { proto: 'tcp', dport: '25' },
  SSH: { proto: 'tcp', dport: '22' },
  Telnet: { proto: 'tcp', dport: '23' },
};
