// The YAML parser, for all programs: most never read more than plain lines, and none keeps it in its own bundle.
export * from 'yaml'
