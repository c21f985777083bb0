// What may stand behind the address in `add server`: words that say how a server is checked, weighed and limited. HAProxy
// ignores `default-server` for a server that is added at run time, so all of it has to be given. Each keyword was tried
// on HAProxy 2.6, 3.0 and 3.2; a word that is not known here is refused, so that nothing else ever gets onto a command
// line. (HAProxy itself takes `maxconn -3` and `weight 1.5`.)

const number = /^\d{1,7}$/;
const natural = /^[1-9]\d{0,6}$/;
const delay = /^[1-9]\d{0,6}(?:us|ms|s|m|h|d)?$/;
const percent256 = /^(?:\d{1,2}|1\d\d|2[0-4]\d|25[0-6])$/;
const portNumber = /^(?:[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])$/;

type Grammar = Readonly<Record<string, RegExp | 'flag'>>;

/** Made when it is first asked for: an agent without dynamic servers never needs it. */
const grammar = (): Grammar => ({
  backup: 'flag',
  check: 'flag',
  'check-send-proxy': 'flag',
  'check-ssl': 'flag',
  'send-proxy': 'flag',
  'send-proxy-v2': 'flag',
  ssl: 'flag',
  inter: delay,
  fastinter: delay,
  downinter: delay,
  rise: natural,
  fall: natural,
  port: portNumber,
  slowstart: delay,
  weight: percent256,
  maxconn: number,
  minconn: number,
  maxqueue: number,
  'error-limit': natural,
  observe: /^layer[47]$/,
  'on-error': /^(?:fastinter|fail-check|sudden-death|mark-down)$/,
  'on-marked-down': /^shutdown-sessions$/,
  'on-marked-up': /^shutdown-backup-sessions$/,
  'pool-low-conn': number,
  'pool-max-conn': number,
  'pool-purge-delay': delay,
  proto: /^h[12]$/,
  verify: /^none$/,
});

let known: Grammar | undefined;

/** The parameters with one space between the words; undefined when a word is not known, stands twice or has no value. */
export function parseServerParameters(text: string): string | undefined {
  known ??= grammar();
  if (text.length > 500 || !/^[a-z0-9 -]*$/.test(text)) return undefined;
  const words = text.split(' ').filter((word) => word !== '');
  const seen = new Set<string>();
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    const value = Object.hasOwn(known, word) ? known[word] : undefined;
    if (value === undefined || seen.has(word)) return undefined;
    seen.add(word);
    if (value === 'flag') continue;
    index += 1;
    if (!value.test(words[index] ?? '')) return undefined;
  }
  return words.join(' ');
}

/** Whether HAProxy checks a server with these parameters by itself. */
export const hasCheck = (parameters: string): boolean => parameters.split(' ').includes('check');
