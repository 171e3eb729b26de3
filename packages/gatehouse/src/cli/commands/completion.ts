import { Command, type Option } from 'commander';

/** Prints a completion script for the shell; the words come from the commands themselves. */
export function completionCommand(): Command {
  return new Command('completion')
    .description('Print a shell completion script.')
    .argument('<shell>', 'bash, zsh or fish')
    .addHelpText(
      'after',
      '\nExamples:\n  gatehouse completion fish > ~/.config/fish/completions/gatehouse.fish\n  source <(gatehouse completion bash)',
    )
    .action((shell: string, _flags: unknown, command: Command) => {
      const words = wordsOf(command.parent ?? command);
      const script = scripts[shell];
      if (script === undefined) command.error('error: the shell must be bash, zsh or fish', { exitCode: 2 });
      else process.stdout.write(script(words));
    });
}

/** Command path -> words that may follow it. */
type Words = ReadonlyMap<string, readonly string[]>;

function wordsOf(root: Command): Words {
  const words = new Map<string, readonly string[]>();
  const visit = (command: Command, path: string): void => {
    const flags = command.options
      .map((option: Option) => option.long ?? option.short ?? '')
      .filter((flag) => flag !== '');
    // What is hidden is not for people, and `help` is everywhere.
    const children = command.createHelp().visibleCommands(command);
    const own = children.filter((child) => command.commands.includes(child));
    words.set(path, [...own.map((child) => child.name()), ...flags, '--help']);
    for (const child of own) visit(child, `${path} ${child.name()}`.trim());
  };
  visit(root, '');
  return words;
}

function shellCases(words: Words): string {
  return [...words].map(([path, next]) => `    "${path}") words="${next.join(' ')}" ;;`).join('\n');
}

const bash = (words: Words): string => `_gatehouse() {
  local path="" words="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *) path="\${path:+$path }$word" ;; esac
  done
  case "$path" in
${shellCases(words)}
    *) words="--help" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _gatehouse gatehouse
`;

const scripts: Readonly<Record<string, (words: Words) => string>> = {
  bash,
  zsh: (words) => `autoload -U +X bashcompinit && bashcompinit\n${bash(words)}`,
  fish: (words) =>
    [...words]
      .flatMap(([path, next]) =>
        next.map((word) => {
          const condition =
            path === '' ? '__fish_use_subcommand' : `__fish_seen_subcommand_from ${path.split(' ').at(-1)}`;
          return word.startsWith('--')
            ? `complete -c gatehouse -n '${condition}' -l ${word.slice(2)}`
            : `complete -c gatehouse -n '${condition}' -a ${word}`;
        }),
      )
      .join('\n')
      .concat('\n'),
};
