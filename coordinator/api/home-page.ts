// `/`: what is served here, as links. It holds no data, so it needs no token.
import { version } from '../../shared/version.ts';

const links: [string, string][] = [
  ['/livez', 'is the process alive'],
  ['/readyz', 'can the coordinator do its work, and if not, why'],
  ['/metrics', 'metrics for Prometheus'],
  ['/openapi.json', 'description of the API'],
  ['/api/v1/slots', 'every slot of every HAProxy'],
  ['/api/v1/agents', 'every agent'],
  ['/api/v1/haproxys', 'every HAProxy'],
  ['/api/v1/audit', 'every act, newest first'],
  ['/api/v1/events', 'the same, live (server-sent events)'],
];

export const homePage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Berth</title>
</head>
<body>
<h1>Berth ${version}</h1>
<p>The coordinator is running. With BERTH_TOKEN set, the links below need the header <code>Authorization: Bearer …</code>;
the command line does that: <code>berth status</code>.</p>
<ul>
${links.map(([path, text]) => `<li><a href="${path}">${path}</a>: ${text}</li>`).join('\n')}
</ul>
</body>
</html>
`;
