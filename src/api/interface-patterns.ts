/**
 * Says why `text` is no pattern for network interfaces, completing the sentence `"<text>" ...`; undefined where it is one:
 * a name, or a regular expression between slashes.
 */
export function whyNotInterfacePattern(text: string): string | undefined {
  if (!text.startsWith("/")) return NAME.test(text) ? undefined : NO_PATTERN;
  if (text.length < 3 || !text.endsWith("/")) return NO_PATTERN;
  try {
    new RegExp(text.slice(1, -1), "u");
    return undefined;
  } catch (error) {
    const why = String(error instanceof Error ? error.message : error).replace(/^.*: /s, "");
    return `is not a regular expression: ${why}; correct it, or write the interface's name`;
  }
}

const NAME_PATTERN = "^[^/[:space:]]{1,15}$";
const NAME = /^[^/\s]{1,15}$/;
const NO_PATTERN =
  'is not an interface; write its name (up to 15 characters, no blanks or slashes), or a regular expression between slashes like "/eth[0-9]+/"';

/** The same for the API server, in CEL, which can't tell whether a regular expression is one. */
export function interfaceRules() {
  return [
    {
      rule: `self.startsWith('/') ? size(self) > 2 && self.endsWith('/') : self.matches('${NAME_PATTERN}')`,
      messageExpression: `'"' + self + '" ${NO_PATTERN}'`,
      message: "must be the name of an interface, or a regular expression between slashes",
    },
  ];
}
