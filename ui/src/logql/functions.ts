// LogQL's words with one line on what they do, for completion and help.

export interface Word {
  readonly name: string;
  readonly does: string;
  readonly example: string;
}

function words(text: string): readonly Word[] {
  return text.trim().split('\n').map((line) => {
    const [name = '', does = '', example = ''] = line.trim().split(' :: ');
    return { name, does, example };
  });
}

/** Of log lines over a window. */
export const RANGE_FUNCTIONS = words(`
  rate :: lines per second :: rate({…}[5m])
  count_over_time :: number of lines :: count_over_time({…}[5m])
  bytes_rate :: bytes per second :: bytes_rate({…}[5m])
  bytes_over_time :: bytes of lines :: bytes_over_time({…}[5m])
  absent_over_time :: 1 where there is no line :: absent_over_time({…}[5m])
  sum_over_time :: sum of a field :: sum_over_time({…} | unwrap x [5m])
  avg_over_time :: average of a field :: avg_over_time({…} | unwrap x [5m])
  max_over_time :: largest value of a field :: max_over_time({…} | unwrap x [5m])
  min_over_time :: smallest value of a field :: min_over_time({…} | unwrap x [5m])
  first_over_time :: first value of a field :: first_over_time({…} | unwrap x [5m])
  last_over_time :: last value of a field :: last_over_time({…} | unwrap x [5m])
  quantile_over_time :: quantile of a field :: quantile_over_time(0.99, {…} | unwrap x [5m])
  stddev_over_time :: standard deviation of a field :: stddev_over_time({…} | unwrap x [5m])
  stdvar_over_time :: variance of a field :: stdvar_over_time({…} | unwrap x [5m])
  rate_counter :: growth per second of a counter :: rate_counter({…} | unwrap x [5m])
`);

/** Of series at one instant. */
export const VECTOR_FUNCTIONS = words(`
  sum :: sum over series :: sum by (app) (rate({…}[5m]))
  avg :: average over series :: avg by (app) (…)
  max :: largest of the series :: max by (app) (…)
  min :: smallest of the series :: min by (app) (…)
  count :: number of series :: count(…)
  topk :: the largest series :: topk(10, sum by (app) (…))
  bottomk :: the smallest series :: bottomk(10, sum by (app) (…))
  approx_topk :: the largest series, estimated :: approx_topk(10, …)
  stddev :: standard deviation over series :: stddev(…)
  stdvar :: variance over series :: stdvar(…)
  sort :: smallest value first :: sort(…)
  sort_desc :: largest value first :: sort_desc(…)
  label_replace :: sets a label by a regexp :: label_replace(…, "to", "$1", "from", "(.*)")
  vector :: a number as a series :: vector(0)
`);

/** Stages of a pipeline, behind a bar. */
export const STAGES = words(`
  json :: fields of JSON lines :: | json
  logfmt :: fields of key=value lines :: | logfmt
  pattern :: fields by their place in the line :: | pattern \`<ip> - <_> "<method>"\`
  regexp :: fields by a regexp's groups :: | regexp \`(?P<user>\\w+)\`
  unpack :: labels that were packed into the line :: | unpack
  unwrap :: the field to calculate with :: | unwrap duration(took)
  line_format :: another text for the line :: | line_format "{{.status}}"
  label_format :: renames and makes labels :: | label_format to=from
  decolorize :: takes colours out of the line :: | decolorize
  drop :: takes labels away :: | drop a, b
  keep :: keeps only these labels :: | keep a, b
`);

/** Conditions on the line. */
export const LINE_FILTERS = words(`
  |= :: lines that contain the text :: |= \`text\`
  != :: lines without the text :: != \`text\`
  |~ :: lines that match the regexp :: |~ \`(?i)text\`
  !~ :: lines that do not match the regexp :: !~ \`text\`
  |> :: lines of the pattern :: |> \`<_> retry <_>\`
  !> :: lines not of the pattern :: !> \`<_> retry <_>\`
`);

export const MATCHERS = words(`
  = :: is exactly :: a="b"
  != :: is not :: a!="b"
  =~ :: matches the regexp, as a whole :: a=~"b|c.*"
  !~ :: does not match the regexp :: a!~"b|c.*"
`);

export const COMPARISONS = words(`
  > :: more than :: took > 2s
  >= :: as much or more :: status >= 500
  < :: less than :: size < 10KB
  <= :: as much or less :: size <= 10KB
  == :: the same number :: status == 200
`);

/** Units that `unwrap` converts from. */
export const CONVERSIONS = words(`
  duration :: seconds of 1m30s :: | unwrap duration(took)
  bytes :: bytes of 5KB :: | unwrap bytes(size)
`);

export const WINDOWS: readonly string[] = ['1m', '5m', '10m', '30m', '1h', '6h', '1d'];
