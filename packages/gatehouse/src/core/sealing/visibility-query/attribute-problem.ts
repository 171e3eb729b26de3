/**
 * Why a search attribute of this type cannot be sealed; undefined where it can. Sealing needs a type that takes any
 * text and compares it as a whole.
 * @param type the engine's word for it: `Keyword`, `KeywordList`, `Text`, `Int`, `Double`, `Bool`, `Datetime`.
 */
export function attributeProblem(type: string): string | undefined {
  return Object.hasOwn(problems, type) ? problems[type] : 'the engine has no search attribute of this type';
}

const problems: Readonly<Record<string, string | undefined>> = {
  Keyword: undefined,
  KeywordList: undefined,
  Text: 'Text is searched word by word, and a sealed text has no words: use Keyword, or leave it in clear',
  Int: notText('Int', 'numbers'),
  Double: notText('Double', 'numbers'),
  Bool: notText('Bool', 'TRUE and FALSE'),
  Datetime: notText('Datetime', 'times'),
};

function notText(type: string, values: string): string {
  return `${type} takes nothing but ${values}, and a sealed value is a text: use Keyword, or leave it in clear`;
}
