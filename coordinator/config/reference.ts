// docs/configuration.md, made from the table of options.
import { type Option, options } from './options.ts';

export function formatReference(): string {
  const rows = Object.values<Option>(options).map((option) => {
    const env = option.fromFile === true ? `\`${option.env}\`, \`${option.env}_FILE\`` : `\`${option.env}\``;
    const value = option.required ? 'required' : option.default === undefined ? '' : `\`${option.default}\``;
    return `| ${env} | \`${option.key}\` | ${value} | ${option.description} | ${option.type.expects} |`;
  });
  return `# Configuration of the coordinator

<!-- Generated from coordinator/config/options.ts by \`node coordinator/api/generate.ts\`; do not edit. -->

\`berth serve\` reads the environment, and a YAML file when \`--config FILE\` or \`BERTH_CONFIG\` names one. A variable goes
before the file, the file before the default. Dots in a key are levels (\`haproxy.port\` is \`port:\` under \`haproxy:\`); a
list may be written as one or with commas. A key that is not in this table, and a value that cannot be used, end the start
with exit code 64 and one line for each problem. Durations are written \`250ms\`, \`5s\`, \`2m\`, \`1h\`, \`7d\`.

| variable | key in the file | default | meaning | value |
| --- | --- | --- | --- | --- |
${rows.join('\n')}

\`…_FILE\` (in the YAML file \`…File\`: \`tokenFile\`) names a file that holds the value, as Docker secrets do.

**Room on Docker hosts** (\`BERTH_HOST_MEMORY\`, \`BERTH_HOST_CPU\`): what the machine has (\`docker info\`) is set against what all its
running and paused containers are promised: memory by their reservation, else their limit; CPUs by their limit. What fits is made; for
the rest the plan says \`no capacity\` with the host, what was asked for and what is free, and decisions say \`NoCapacity\`. An instance
without limits fits everywhere, and so does every instance where \`/info\` cannot be read: nothing is refused out of ignorance. Containers
without a limit count as nothing, since what they use now says nothing of what they will use; the share that is kept back is for them.
The last room goes to the policy with the higher \`priority\`, then to the service that has waited for it the longest. A stopped container
that is started again is not asked for room.

\`\`\`yaml
haproxy:
  server: [lb1, lb2:9998]
  nodeCount: 100
listen: 0.0.0.0:7070
tokenFile: /run/secrets/berth
database: sqlite:/data/berth.db
\`\`\`
`;
}
