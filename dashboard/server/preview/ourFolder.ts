/** Paths of a preview's origin that belong to the gateway and are never the guest's. */
export const ourFolder = '/.lebureau/';
