/**
 * node:http, to be taken from here: `import` reads all that it exports, and so loads fetch, WebSocket and HTTP/2, of which
 * nothing is used: 3 MB of a speaker's memory.
 */
export const http = process.getBuiltinModule("node:http");
