// A real ActiveMQ Classic with a real Jolokia, on loopback, in memory. Debian packages the broker without its web
// console, whose part Jolokia is, and Jolokia's core and Jetty on their own: the broker's Spring configuration puts the
// three together, with basic authentication and with the access rules that ActiveMQ ships (an Origin is required).
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensurePackages } from './packages.ts';
import { type Running, startProcess } from './processes.ts';
import { freePort, until } from './wait.ts';

export interface Activemq extends AsyncDisposable {
  /** Of Jolokia. */
  readonly url: string;
  readonly stompPort: number;
  readonly username: string;
  readonly password: string;
  readonly process: Running;
  /** One request to Jolokia as an administrator, and its `value`; rejects unless its status is 200. */
  jolokia(request: object): Promise<unknown>;
  /** Puts text messages into a queue, which is made when it is not there. */
  send(queue: string, ...texts: readonly string[]): Promise<void>;
  /** Ends it; the messages are gone. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again after `kill`, on the same ports. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

const [username, password] = ['admin', 'admin-password'];
const broker = 'org.apache.activemq:type=Broker,brokerName=localhost';

export async function startActivemq(): Promise<Activemq> {
  const jetty = ['server', 'servlet', 'http', 'io', 'util', 'security', 'util-ajax'];
  await ensurePackages('activemq', 'libjolokia-core-java', 'libjetty9-java', 'libservlet-api-java');
  const folder = await mkdtemp(join(tmpdir(), 'berth-activemq-'));
  const ports = { stomp: await freePort(), http: await freePort() };
  const url = `http://127.0.0.1:${ports.http}/api/jolokia`;
  await writeFile(join(folder, 'realm.properties'), `${username}: ${password}, admin\n`);
  await writeFile(join(folder, 'access.xml'), accessRules);
  await writeFile(join(folder, 'activemq.xml'), springConfig(folder, ports));
  const home = '/usr/share/activemq/lib';
  const java = '/usr/share/java';
  const jars = [
    ...(await readdir(home)).filter((name) => name.endsWith('.jar')).map((name) => join(home, name)),
    ...['activemq-spring', 'xbean-spring', 'commons-codec'].map((name) =>
      join(home, 'optional', `${name}.jar`),
    ),
    ...['beans', 'context', 'core', 'expression', 'aop'].map((name) =>
      join(home, 'optional', `spring3-${name}.jar`),
    ),
    ...jetty.map((name) => join(java, `jetty9-${name}.jar`)),
    ...['servlet-api', 'jolokia-core', 'json-simple', 'slf4j-simple'].map((name) =>
      join(java, `${name}.jar`),
    ),
  ];
  const words = [
    ...['-Xmx96m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', jars.join(':')],
    ...['org.apache.activemq.console.Main', 'start', `xbean:file:${join(folder, 'activemq.xml')}`],
  ];
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const jolokia = async (request: object) => {
    const headers = { authorization, origin: 'http://localhost', 'content-type': 'application/json' };
    const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(request) });
    const { status, error, value }: { status?: number; error?: string; value?: unknown } = JSON.parse(
      await answer.text(),
    );
    if (status !== 200) throw new Error(`Jolokia: ${status} ${error}`);
    return value;
  };
  let running: Running | undefined;
  const start = async () => {
    running = await startProcess('java', words, { name: 'activemq', cwd: folder });
    const { exit, output } = running;
    await until(async () => exit() !== undefined || (await jolokia({ type: 'version' })), {
      what: 'ActiveMQ answers',
      deadlineMs: 60_000,
      everyMs: 100,
    }).catch((error: unknown) => {
      throw new Error(`ActiveMQ does not start; it wrote:\n${output()}`, { cause: error });
    });
    if (exit() !== undefined) throw new Error(`ActiveMQ ended:\n${output()}`);
  };
  const kill = async (signal: NodeJS.Signals = 'SIGKILL') => {
    const ending = running;
    running = undefined;
    ending?.signal(signal);
    await ending?.exited;
  };
  const stop = async () => {
    // Orderly it takes seconds, and there is nothing to save.
    await kill();
    await rm(folder, { recursive: true, force: true });
  };
  await start().catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return {
    url,
    stompPort: ports.stomp,
    username,
    password,
    get process() {
      if (running === undefined) throw new Error('ActiveMQ is not running');
      return running;
    },
    jolokia,
    send: async (queue, ...texts) => {
      const operation = 'sendTextMessage(java.lang.String)';
      await jolokia({ type: 'exec', mbean: broker, operation: 'addQueue', arguments: [queue] });
      const names: unknown = await jolokia({ type: 'search', mbean: `${broker},destinationType=Queue,*` });
      const views = await Promise.all(
        (Array.isArray(names) ? names : []).map(async (mbean: string) => ({
          mbean,
          name: await jolokia({ type: 'read', mbean, attribute: 'Name' }),
        })),
      );
      const view = views.find(({ name }) => name === queue);
      if (view === undefined) throw new Error(`ActiveMQ has no queue ${queue}`);
      for (const text of texts)
        await jolokia({ type: 'exec', mbean: view.mbean, operation, arguments: [text] });
    },
    kill,
    start,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** What ActiveMQ's own distribution has in `conf/jolokia-access.xml`, in short. */
const accessRules = `<?xml version="1.0" encoding="utf-8"?>
<restrict>
  <cors><allow-origin>*://localhost*</allow-origin><strict-checking/></cors>
</restrict>
`;

const springConfig = (folder: string, ports: { stomp: number; http: number }) => `
<beans xmlns="http://www.springframework.org/schema/beans" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="http://www.springframework.org/schema/beans http://www.springframework.org/schema/beans/spring-beans.xsd
    http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd">
  <broker xmlns="http://activemq.apache.org/schema/core" brokerName="localhost" persistent="false" useJmx="true"
    dataDirectory="${folder}/data">
    <managementContext><managementContext createConnector="false"/></managementContext>
    <transportConnectors>
      <transportConnector name="stomp" uri="stomp://127.0.0.1:${ports.stomp}"/>
    </transportConnectors>
  </broker>
  <bean id="jolokia" class="org.eclipse.jetty.servlet.ServletHolder">
    <constructor-arg><bean class="org.jolokia.http.AgentServlet"/></constructor-arg>
    <property name="initParameters">
      <map><entry key="policyLocation" value="file:${folder}/access.xml"/></map>
    </property>
  </bean>
  <bean id="constraint" class="org.eclipse.jetty.security.ConstraintMapping">
    <property name="pathSpec" value="/*"/>
    <property name="constraint">
      <bean class="org.eclipse.jetty.util.security.Constraint">
        <property name="name" value="BASIC"/>
        <property name="roles" value="admin"/>
        <property name="authenticate" value="true"/>
      </bean>
    </property>
  </bean>
  <bean id="context" class="org.eclipse.jetty.servlet.ServletContextHandler">
    <property name="contextPath" value="/"/>
    <property name="securityHandler">
      <bean class="org.eclipse.jetty.security.ConstraintSecurityHandler">
        <property name="authenticator"><bean class="org.eclipse.jetty.security.authentication.BasicAuthenticator"/></property>
        <property name="loginService">
          <bean class="org.eclipse.jetty.security.HashLoginService">
            <constructor-arg value="test"/><constructor-arg value="${folder}/realm.properties"/>
          </bean>
        </property>
        <property name="constraintMappings"><list><ref bean="constraint"/></list></property>
      </bean>
    </property>
  </bean>
  <bean class="org.springframework.beans.factory.config.MethodInvokingFactoryBean">
    <property name="targetObject" ref="context"/>
    <property name="targetMethod" value="addServlet"/>
    <property name="arguments"><list><ref bean="jolokia"/><value>/api/jolokia/*</value></list></property>
  </bean>
  <bean class="org.eclipse.jetty.server.Server" init-method="start" destroy-method="stop">
    <constructor-arg>
      <bean class="java.net.InetSocketAddress">
        <constructor-arg value="127.0.0.1"/><constructor-arg value="${ports.http}" type="int"/>
      </bean>
    </constructor-arg>
    <property name="handler" ref="context"/>
  </bean>
</beans>
`;
