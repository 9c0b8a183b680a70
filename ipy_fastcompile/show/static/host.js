// @ts-check
// Asks Python, or the data of an offline page, for content by key, and keeps what came.

/**
 * What AFM gives `render`: https://anywidget.dev/en/afm/
 * @typedef {{
 *   get(name: string): any,
 *   on(name: string, act: (...args: any[]) => void): void,
 *   off(name: string, act: (...args: any[]) => void): void,
 *   send(content: any, callbacks?: any, buffers?: any): void,
 * }} Model
 * @typedef {{key: string, resolve: (value: any) => void, reject: (error: Error) => void,
 *   parts: string[], timer: ReturnType<typeof setTimeout> | undefined}} Waiting
 */

// A kernel that says nothing for this long is busy or gone.
const PATIENCE = 4000;
// Answers kept; each is at most a few hundred kilobytes.
const KEPT = 120;

/** The kernel did not answer in time; what is shown stays. */
export class NoKernel extends Error {}

/** The words a stale answer is rejected with: nobody waits for it any more. */
export class Superseded extends Error {}

/**
 * @param {Model} model
 * @param {Record<string, any>} start contents that came with the widget's state
 */
export function makeHost(model, start) {
  const given = new Map(Object.entries(start));
  /** @type {Map<string, any>} what came on request, the least recently used first */
  const cache = new Map();
  /** @type {Map<string, Waiting>} */
  const waiting = new Map();
  /** @type {Set<(connected: boolean) => void>} */
  const watchers = new Set();
  // Two views of one widget hear each other's answers; ids tell them apart.
  const view = Math.random().toString(36).slice(2, 8);
  let next = 1;
  let connected = true;

  /** @param {boolean} now */
  function setConnected(now) {
    if (now === connected) return;
    connected = now;
    for (const watcher of watchers) watcher(now);
  }

  /** @param {any} message */
  function receive(message) {
    if (!message || message.type !== "answer") return;
    setConnected(true);
    const request = waiting.get(message.id);
    if (!request) return;
    if (message.error) {
      finish(message.id);
      request.reject(new Error(message.error));
      return;
    }
    request.parts[message.part] = message.body;
    if (request.parts.filter((part) => part !== undefined).length < message.parts) return;
    finish(message.id);
    const content = JSON.parse(request.parts.join(""));
    keep(request.key, content);
    request.resolve(content);
  }

  /** @param {string} key @param {any} content */
  function keep(key, content) {
    cache.delete(key);
    cache.set(key, content);
    for (const old of cache.keys()) {
      if (cache.size <= KEPT) break;
      cache.delete(old);
    }
  }

  /** @param {string} key @returns {any} */
  function peek(key) {
    if (given.has(key)) return given.get(key);
    const content = cache.get(key);
    if (content !== undefined) keep(key, content);
    return content;
  }

  /** @param {string} id */
  function finish(id) {
    clearTimeout(waiting.get(id)?.timer);
    waiting.delete(id);
  }

  /** @param {Waiting} request */
  function watch(request) {
    request.timer = setTimeout(() => {
      setConnected(false);
      request.reject(new NoKernel("Kernel not connected, or busy."));
    }, PATIENCE);
  }

  model.on("msg:custom", receive);
  return {
    /** @param {string} key @returns {any} the content if it is here already */
    peek,
    /**
     * The content of a key. `signal` gives up: a later answer is kept but resolves nothing.
     * @param {string} key
     * @param {AbortSignal} [signal]
     * @returns {Promise<any>}
     */
    ask(key, signal) {
      const here = peek(key);
      if (here !== undefined) return Promise.resolve(here);
      return new Promise((resolve, reject) => {
        const id = `${view}-${next++}`;
        /** @type {Waiting} */
        const request = { key, resolve, reject, parts: [], timer: undefined };
        waiting.set(id, request);
        watch(request);
        signal?.addEventListener("abort", () => {
          clearTimeout(request.timer);
          reject(new Superseded());
        });
        try {
          model.send({ type: "ask", id, key });
        } catch {
          // A view without a comm: the widget's kernel is gone for good.
          finish(id);
          setConnected(false);
          reject(new NoKernel("Kernel not connected."));
        }
      });
    },
    /** @param {(connected: boolean) => void} act */
    watchConnection(act) {
      watchers.add(act);
    },
    close() {
      model.off("msg:custom", receive);
      for (const id of [...waiting.keys()]) finish(id);
    },
  };
}

/** @typedef {ReturnType<typeof makeHost>} Host */

/**
 * The same host, for what a program calls its contents; the first one's keys are plain.
 * @param {Host} host
 * @param {number} number
 * @returns {Host}
 */
export function hostOf(host, number) {
  if (!number) return host;
  return {
    ...host,
    peek: (key) => host.peek(`${number}/${key}`),
    ask: (key, signal) => host.ask(`${number}/${key}`, signal),
  };
}
