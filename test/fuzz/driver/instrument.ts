import ts from 'typescript';

/** A source that counts where it runs, and what an input may have to say to get further in it. */
export interface Instrumented {
  readonly text: string;
  /** How many places are counted. */
  readonly places: number;
  /** Short texts and small numbers that stand in the source, each character a byte. */
  readonly words: readonly string[];
}

/** Under this name an instrumented file finds the counters. */
export const COUNTERS = '__fuzzCounters';
const WORD_CHARS_MAX = 32;

/**
 * Writes `counters[place]++` into every branch of a TypeScript source: function, `if`, `else`, loop, case, `catch`,
 * the arms of `?:`, and the right side of `&&`, `||` and `??`. Lines stay where they are.
 * @param first the number of the first place.
 */
export function instrument(source: string, fileName: string, first: number): Instrumented {
  const file = ts.createSourceFile(fileName, source, ts.ScriptTarget.Latest, true);
  const inserts: { readonly at: number; readonly order: number; readonly text: string }[] = [];
  const words = new Set<string>();
  let places = 0;
  const insert = (at: number, text: string): number => inserts.push({ at, order: inserts.length, text });
  const count = (): string => `__fuzzed[${first + places++}]++`;

  const wrapExpression = (node: ts.Expression): void => {
    insert(node.getStart(), `(${count()},`);
    visit(node);
    insert(node.getEnd(), ')');
  };
  const wrapStatement = (node: ts.Statement): void => {
    const isBlock = ts.isBlock(node);
    insert(isBlock ? node.getStart() + 1 : node.getStart(), `${isBlock ? '' : '{'}${count()};`);
    if (isBlock) ts.forEachChild(node, visit);
    else {
      visit(node);
      insert(node.getEnd(), '}');
    }
  };
  const visit = (node: ts.Node): void => {
    if (ts.isTypeNode(node) || ts.isImportDeclaration(node) || ts.isInterfaceDeclaration(node)) return;
    if (ts.isStringLiteralLike(node) && node.text.length <= WORD_CHARS_MAX)
      words.add(Buffer.from(node.text, 'utf8').toString('latin1'));
    if (ts.isNumericLiteral(node) && Number(node.text) <= 0xff)
      words.add(String.fromCharCode(Number(node.text)));
    if (ts.isIfStatement(node)) {
      visit(node.expression);
      wrapStatement(node.thenStatement);
      if (node.elseStatement !== undefined) wrapStatement(node.elseStatement);
      else insert(node.getEnd(), ` else ${count()};`);
    } else if (ts.isConditionalExpression(node)) {
      visit(node.condition);
      wrapExpression(node.whenTrue);
      wrapExpression(node.whenFalse);
    } else if (ts.isBinaryExpression(node) && isShortCircuit(node.operatorToken.kind)) {
      visit(node.left);
      wrapExpression(node.right);
    } else if (ts.isIterationStatement(node, false)) {
      ts.forEachChild(node, (child) =>
        child === node.statement ? wrapStatement(node.statement) : visit(child),
      );
    } else if (ts.isCaseOrDefaultClause(node)) {
      const [body] = node.statements;
      if (ts.isCaseClause(node)) visit(node.expression);
      if (body !== undefined) insert(body.getStart(), `${count()};`);
      node.statements.forEach(visit);
    } else if (ts.isArrowFunction(node) && !ts.isBlock(node.body)) {
      node.parameters.forEach(visit);
      wrapExpression(node.body);
    } else if (ts.isBlock(node) && (ts.isFunctionLike(node.parent) || ts.isCatchClause(node.parent))) {
      wrapStatement(node);
    } else ts.forEachChild(node, visit);
  };
  visit(file);

  inserts.sort((a, b) => a.at - b.at || a.order - b.order);
  let text = `const __fuzzed=globalThis.${COUNTERS};`;
  let from = 0;
  for (const each of inserts) {
    text += source.slice(from, each.at) + each.text;
    from = each.at;
  }
  return { text: text + source.slice(from), places, words: [...words] };
}

function isShortCircuit(kind: ts.SyntaxKind): boolean {
  return (
    kind === ts.SyntaxKind.AmpersandAmpersandToken ||
    kind === ts.SyntaxKind.BarBarToken ||
    kind === ts.SyntaxKind.QuestionQuestionToken
  );
}
