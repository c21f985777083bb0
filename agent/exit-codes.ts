// The agent's own exit codes; otherwise it ends with the app's, and with 128+n when the app died of signal n.

export const exitCodes = {
  /** Bad configuration or command line (EX_USAGE of sysexits.h). */
  usage: 64,
  /** A probe gave the app up and it then ended with 0, or a sidecar's app was gone for long: not a success. */
  givenUp: 70,
  notExecutable: 126,
  notFound: 127,
} as const;
