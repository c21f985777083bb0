// The constants of the protocol between agent and coordinator. Apart from protocol.ts because the agent's bundle has
// no room for zod (150 KB, 45 KB gzip): the agent takes its types from there and its values from here.

export const protocolVersion = 1;

/** WebSocket close codes that either side may see. */
export const closeCodes = {
  goodbye: 1000,
  badMessage: 4400,
  unauthorized: 4401,
  tooFast: 4429,
  replaced: 4409,
  shuttingDown: 1012,
} as const;

/** The largest message that either side accepts, in bytes. */
export const maxMessageBytes = 64 * 1024;

/** The longest reason or error that a message may carry; a longer one is cut by who sends it. */
export const maxReasonLength = 1000;
