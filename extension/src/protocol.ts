// Made by extension/panel_protocol.py from the API's models and datapilot_lab/wire.py. Do not edit: run the script.

/** A source, ready to be asked. */
export interface About {
  id: string;
  name: string;
  dialect: 'postgres' | 'mysql' | 'duckdb';
  tables: number;
  layer: string;
  accepted: boolean;
  today: string;
  /** first questions to suggest, from the semantic layer */
  questions: string[];
}

/** No limit in time, said explicitly (« depuis toujours »). */
export interface AllTime {
  kind?: 'all';
}

/** An answer. */
export interface AnswerOut {
  /** of the query: history, result, cancel, feedback */
  id: string;
  message: string;
  notes: string[];
  engine: 'verified' | 'local' | 'claude' | 'sql' | 'plan';
  timings_ms: TimingsOut;
  /** what a language model did and cost; null: none was called */
  model: Record<string, unknown> | null;
  conversation_id: string | null;
  outcome: 'answer';
  question: string;
  trust: 'verified' | 'governed' | 'exploratory';
  sentence: string;
  reading: ReadingOut[];
  plan: Record<string, unknown> | null;
  sql: string;
  columns: ColumnOut[];
  rows: unknown[][];
  /** of the whole result */
  row_count: number;
  truncated: boolean;
  /** nothing was asked of the source for it */
  cached: boolean;
  chart: Record<string, unknown> | null;
}

/** What this half adds to an answer: its values as people read them. */
export interface AnswerShown {
  /** the rows that came with the answer, each value written out */
  shown: string[][];
  /** one row of figures: shown large, not as a table */
  single: boolean;
  pretty_sql: string;
}

/** A question to be run here and held over a reload of the page. */
export interface AskIn {
  /** the panel's own, of one question */
  request_id: string;
  /** the body of the API's `POST /ai/query` */
  query: Record<string, unknown>;
}

/** A cell that does not fit its column's type. */
export interface BadCell {
  line: number;
  value: string;
}

/** From `start` to `end`, both included; None: open on that side. */
export interface Between {
  kind?: 'between';
  start?: string | null;
  end?: string | null;
}

/** A source to be browsed. */
export interface Browsed {
  id: string;
  name: string;
  layer: string;
  accepted: boolean;
  tables: BrowsedTable[];
}

/** A column, in people's words where the layer has some. */
export interface BrowsedColumn {
  name: string;
  /** the layer's; null: the layer does not show it */
  label: string | null;
  type: string;
  description: string | null;
  personal: boolean;
  /** entity.name in the layer: what a filter names; null: it has none */
  field: string | null;
}

/** A table, with questions that it can answer. */
export interface BrowsedTable {
  /** schema.table, as the catalog says it */
  name: string;
  /** the layer's; null: the layer does not show it */
  label: string | null;
  description: string | null;
  row_estimate: number | null;
  columns: BrowsedColumn[];
  /** labels of what is counted and added up */
  measures: string[];
  questions: string[];
}

/** One whole unit of the calendar. */
export interface CalendarPeriod {
  kind?: 'calendar';
  unit: 'day' | 'week' | 'month' | 'quarter' | 'semester' | 'year' | 'fiscal_year' | 'fiscal_quarter';
  offset?: number | null;
  number?: number | null;
  year?: number | null;
  year_offset?: number | null;
  /** This many units in a row, the named one being the first */
  count?: number;
}

/** Whether there was something to stop. */
export interface Cancelling {
  cancelling: boolean;
}

/** Another type of chart for an answer. */
export interface ChartIn {
  type: string;
}

/** A Plotly figure as data. */
export interface ChartOut {
  chart: Record<string, unknown>;
}

/** A reading to click. */
export interface ChoiceOut {
  label: string;
  plan: Record<string, unknown>;
}

/** One precise question. */
export interface ClarificationOut {
  /** of the query: history, result, cancel, feedback */
  id: string;
  message: string;
  notes: string[];
  engine: 'verified' | 'local' | 'claude' | 'sql' | 'plan';
  timings_ms: TimingsOut;
  /** what a language model did and cost; null: none was called */
  model: Record<string, unknown> | null;
  conversation_id: string | null;
  outcome: 'clarification';
  choices: ChoiceOut[];
}

/** What a person decides about a column; null leaves the decision to the reader. */
export interface ColumnDecision {
  type?: 'integer' | 'decimal' | 'float' | 'text' | 'boolean' | 'date' | 'timestamp' | null;
  format?: 'dmy' | 'mdy' | 'ymd' | 'comma' | 'point' | null;
  name?: string | null;
}

/** A column of a `rows` plan. */
export interface ColumnItem {
  alias: string;
  field: string;
  via?: string[];
  label?: string | null;
}

/** A column of the table. */
export interface ColumnOut {
  name: string;
  label: string;
  type: string;
  format: Record<string, unknown>;
  role: string;
  grain: string | null;
  /** of the semantic layer */
  ref: string | null;
  /** the measure that a derived column belongs to */
  of: string | null;
  lower_is_better: boolean;
  /** what people call a stored value */
  values: Record<string, string>;
}

/** Beside each measure, its value in another period, the difference and the growth rate. */
export interface Comparison {
  kind: 'previous_period' | 'previous_year' | 'period';
  period?: Between | CalendarPeriod | LastPeriod | ToDate | AllTime | null;
  show?: ('value' | 'difference' | 'growth')[];
}

/** A conversation with its turns, oldest first. */
export interface ConversationDetail {
  id: string;
  source_id: string;
  title: string;
  created_at: string;
  updated_at: string;
  turns: TurnOut[];
}

/** A conversation. */
export interface ConversationOut {
  id: string;
  source_id: string;
  title: string;
  created_at: string;
  updated_at: string;
}

/** A page of one's conversations, the latest first. */
export interface ConversationPage {
  items: ConversationOut[];
  next: string | null;
}

/** A source, and the job that reads its catalog. */
export interface CreatedOut {
  source: SourceOut;
  job_id: string;
}

/** A column grouped by. `grain` for time dimensions; `bins` cuts a number at these bounds (distribution). */
export interface DimensionItem {
  alias: string;
  field: string;
  grain?: 'day' | 'week' | 'month' | 'quarter' | 'semester' | 'year' | 'fiscal_year' | 'fiscal_quarter' | 'hour_of_day' | 'day_of_week' | 'day_of_month' | 'month_of_year' | 'quarter_of_year' | null;
  bins?: (number | string)[];
  via?: string[];
  label?: string | null;
}

/** What a chip becomes: `value` as in the plan, or `typed` as a person writes it; both null: it goes. */
export interface EditIn {
  source_id: string;
  plan: Record<string, unknown>;
  path: string;
  kind: string;
  value?: unknown;
  typed?: string | null;
  grain?: string | null;
}

/** The plan after an edit. */
export interface EditOut {
  plan: Record<string, unknown>;
}

/** What an editor of a chip offers; `none`: it can only be taken away. */
export interface Editor {
  editor: 'period' | 'choice' | 'values' | 'number' | 'order' | 'none';
  options?: Option[];
  grains?: Option[];
  value?: unknown;
  removable?: boolean;
}

/** A technical fault. */
export interface FailureOut {
  /** of the query: history, result, cancel, feedback */
  id: string;
  message: string;
  notes: string[];
  engine: 'verified' | 'local' | 'claude' | 'sql' | 'plan';
  timings_ms: TimingsOut;
  /** what a language model did and cost; null: none was called */
  model: Record<string, unknown> | null;
  conversation_id: string | null;
  outcome: 'failure';
  incident: string | null;
  reason: string;
}

/** What one thinks of an answer; `plan` or `sql`: what it should have been. */
export interface FeedbackIn {
  verdict: 'up' | 'down';
  comment?: string;
  plan?: Plan | null;
  sql?: string | null;
  /** propose the question with its plan to be verified */
  propose_verified?: boolean;
}

/** What was kept. */
export interface FeedbackOut {
  id: string;
  /** of the proposal; null: none was made */
  verified_question_id: string | null;
}

/** What a person decides about a file; null leaves the decision to the reader. */
export interface FileDecision {
  encoding?: string | null;
  delimiter?: string | null;
  header_line?: number | null;
  table?: string | null;
  keep_totals?: boolean;
  sheets?: string[] | null;
  columns?: Record<string, ColumnDecision>;
}

/** Uploads that become part of a source, replacing files of the same name. */
export interface FilesIn {
  uploads: string[];
  files?: Record<string, FileDecision>;
}

/** Uploads that become a source. */
export interface FilesSourceIn {
  name: string;
  workspace_id?: string | null;
  uploads: string[];
  files?: Record<string, FileDecision>;
}

/** A condition on one dimension. */
export interface Filter {
  field: string;
  op?: 'eq' | 'ne' | 'in' | 'not_in' | 'lt' | 'le' | 'gt' | 'ge' | 'between' | 'contains' | 'not_contains' | 'starts_with' | 'ends_with' | 'is_null' | 'not_null' | 'older_than' | 'within_last' | 'day_type';
  values?: (string | number | boolean)[];
  span?: RelativeTime | null;
  typed?: string[];
  /** Names of joins, when there is more than one way */
  via?: string[];
}

/** A condition on a computed column (a measure's alias); `part` of a comparison (« les régions en baisse »). */
export interface Having {
  measure: string;
  part?: 'value' | 'previous' | 'difference' | 'growth';
  op: 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge' | 'between';
  values: (number | string)[];
}

/** Work in the background. */
export interface JobOut {
  id: string;
  kind: string;
  status: string;
  progress: Record<string, unknown>;
  problem: string | null;
  incident: string | null;
  created_at: string;
  updated_at: string;
}

/** The last `count` units. */
export interface LastPeriod {
  kind?: 'last';
  count: number;
  unit: 'day' | 'week' | 'month' | 'quarter' | 'semester' | 'year' | 'fiscal_year' | 'fiscal_quarter' | 'working_day';
  complete?: boolean;
  next?: boolean;
}

/** A filter that viewers may set. */
export interface ListedFilter {
  field: string;
  label: string;
  /** null: any value */
  values?: (string | number | boolean)[] | null;
  /** period: viewers choose one, it replaces the plan's */
  kind?: 'values' | 'period';
}

/** Who the caller is and what they may do with this token. */
export interface MeOut {
  id: string;
  tenant: TenantRef;
  email: string;
  full_name: string;
  role: 'administrator' | 'analyst' | 'viewer';
  attributes: Record<string, string>;
  audience: 'session' | 'notebook';
  permissions: string[];
  created_at: string;
  last_login_at: string | null;
}

/** A column computed: a measure of the layer, or an `aggregate` over a `field` (or over the rows of `entity`). */
export interface MeasureItem {
  alias: string;
  measure?: string | null;
  aggregate?: 'count' | 'count_distinct' | 'sum' | 'avg' | 'min' | 'max' | 'median' | null;
  field?: string | null;
  entity?: string | null;
  filters?: Filter[];
  minus?: Filter[];
  transform?: 'share' | 'running_total' | 'rank' | null;
  within?: string | null;
  /** None: the measure's */
  label?: string | null;
  /** Only for order or conditions: not in the result */
  hidden?: boolean;
}

/** A choice of an editor. */
export interface Option {
  label: string;
  value: unknown;
  /** a date: it is cut by a grain */
  timed?: boolean;
}

/** `by` is an alias of a measure, a dimension or a column; `part` of a comparison (« ont le plus progressé »). */
export interface Order {
  by: string;
  descending?: boolean;
  part?: 'value' | 'previous' | 'difference' | 'growth';
}

/** Where a reading is edited. */
export interface Place {
  source_id: string;
  plan: Record<string, unknown>;
  path: string;
  kind: string;
}

/** A question understood. */
export interface Plan {
  version?: 1;
  kind?: 'aggregate' | 'rows';
  /** rows: what is listed; aggregate: None */
  entity?: string | null;
  measures?: MeasureItem[];
  dimensions?: DimensionItem[];
  columns?: ColumnItem[];
  /** rows: each combination once (« quelles villes… ») */
  distinct?: boolean;
  filters?: Filter[];
  /** Each group: at least one holds */
  any_of?: Filter[][];
  related?: Related[];
  having?: Having[];
  period?: Between | CalendarPeriod | LastPeriod | ToDate | AllTime | null;
  time?: string | null;
  comparison?: Comparison | null;
  order?: Order[];
  limit?: number | null;
  limit_per?: string | null;
  ties?: boolean;
  rollup?: Rollup | null;
  /** Entities whose default filters are left out */
  ignored_defaults?: string[];
}

/** A dashboard that one may ask to add to. */
export interface PublishableOut {
  id: string;
  name: string;
  published: boolean;
}

/** The dashboards that one may ask to add to, by name. */
export interface PublishablesOut {
  items: PublishableOut[];
}

/** A query with what ran. */
export interface QueryDetail {
  id: string;
  source_id: string;
  conversation_id: string | null;
  kind: 'ask' | 'plan' | 'sql' | 'frame';
  question: string | null;
  status: 'waiting' | 'running' | 'done' | 'cancelled' | 'failed';
  outcome: 'answer' | 'clarification' | 'refusal' | 'failure' | null;
  engine: string | null;
  trust: string | null;
  reason: string | null;
  incident: string | null;
  row_count: number | null;
  cached: boolean;
  timings_ms: Record<string, number | null>;
  cost_microeuros: number;
  created_at: string;
  finished_at: string | null;
  plan: Record<string, unknown> | null;
  sql: string | null;
  tables: string[];
  model: Record<string, unknown> | null;
}

/** What is asked: `question`, `plan` or `sql`; a plan may bring the question that it is a reading of. */
export interface QueryIn {
  /** the data source */
  source_id: string;
  /** in French or English */
  question?: string | null;
  /** an edited reading, a choice that was clicked: run without an engine */
  plan?: Plan | null;
  /** one SELECT in the source's dialect */
  sql?: string | null;
  /** goes on with a conversation; none: a question begins one */
  conversation_id?: string | null;
  /** who understands the question */
  engine?: 'auto' | 'local' | 'claude';
  /** fixes relative periods; none: the clock */
  today?: string | null;
  /** true: not from the cache */
  fresh?: boolean;
  /** rows that come with the outcome; none: all (the rest: /queries/{id}/result) */
  inline_rows?: number | null;
}

/** A query of one's history. */
export interface QueryOut {
  id: string;
  source_id: string;
  conversation_id: string | null;
  kind: 'ask' | 'plan' | 'sql' | 'frame';
  question: string | null;
  status: 'waiting' | 'running' | 'done' | 'cancelled' | 'failed';
  outcome: 'answer' | 'clarification' | 'refusal' | 'failure' | null;
  engine: string | null;
  trust: string | null;
  reason: string | null;
  incident: string | null;
  row_count: number | null;
  cached: boolean;
  timings_ms: Record<string, number | null>;
  cost_microeuros: number;
  created_at: string;
  finished_at: string | null;
}

/** A page of one's history, the latest first. */
export interface QueryPage {
  items: QueryOut[];
  next: string | null;
}

/** One part of what was understood. */
export interface ReadingOut {
  path: string;
  kind: string;
  label: string;
  value: string;
  editable: boolean;
}

/** What is missing, and why. */
export interface RefusalOut {
  /** of the query: history, result, cancel, feedback */
  id: string;
  message: string;
  notes: string[];
  engine: 'verified' | 'local' | 'claude' | 'sql' | 'plan';
  timings_ms: TimingsOut;
  /** what a language model did and cost; null: none was called */
  model: Record<string, unknown> | null;
  conversation_id: string | null;
  outcome: 'refusal';
  reason: string;
  missing: string;
}

/** Rows that have (or, `negated`, have not) related rows: « clients sans commande depuis 6 mois ». */
export interface Related {
  entity: string;
  negated?: boolean;
  period?: Between | CalendarPeriod | LastPeriod | ToDate | AllTime | null;
  time?: string | null;
  filters?: Filter[];
  op?: 'lt' | 'le' | 'gt' | 'ge' | 'eq';
  value?: number;
  via?: string[];
  of?: string | null;
}

/** A span counted back from today, for `older_than` and `within_last`: `{count: 30, unit: day}`. */
export interface RelativeTime {
  count: number;
  unit?: 'day' | 'week' | 'month' | 'year';
}

/** A new title. */
export interface Renamed {
  title: string;
}

/** What a notebook asks to have published. */
export interface RequestIn {
  /** of the dashboard; null: as the one named by dashboard_id */
  name?: string | null;
  /** the dashboard that it becomes a version of; null: a new one */
  dashboard_id?: string | null;
  /** with dashboard_id: the tiles come beside those of its version in force instead of replacing them */
  add_tiles?: boolean;
  layout?: Record<string, unknown>;
  filters?: ListedFilter[];
  tiles: RequestedTile[];
  /** nbformat 4; outputs, execution counts, attachments and metadata are not kept; null: tiles alone */
  notebook?: Record<string, unknown> | null;
  mode?: 'page' | 'interactive';
  /** the author knows that something of it is exploratory */
  exploratory?: boolean;
}

/** A request and what was decided. */
export interface RequestOut {
  id: string;
  dashboard_id: string | null;
  name: string;
  status: 'requested' | 'accepted' | 'rejected';
  requested_by: string | null;
  requested_at: string;
  decided_by: string | null;
  decided_at: string | null;
  content: Record<string, unknown>;
  /** the page where it is looked at and decided, for a browser */
  url: string;
  /** why it was rejected, as the one who decided says; null: nothing was said */
  reason: string | null;
}

/** A tile of what a notebook asks to have published. */
export interface RequestedTile {
  title?: string;
  source_id: string;
  question?: string | null;
  plan: Plan;
  chart_type?: 'auto' | 'table' | 'number' | 'bar' | 'horizontal_bar' | 'line' | 'area' | 'pie' | 'scatter' | 'stacked_bar' | 'grouped_bar' | 'histogram';
  /** the notebook's cell whose question it is, counted from 0 among all; null: none */
  cell?: number | null;
}

/** A page of requests. */
export interface RequestsOut {
  items: RequestOut[];
  next: string | null;
}

/** Rows of a result. */
export interface ResultPage {
  columns: ColumnOut[];
  rows: unknown[][];
  /** of the whole result */
  row_count: number;
  /** the source has more rows than were read */
  truncated: boolean;
  offset: number;
  /** where the next page begins; null: this is the last */
  next: number | null;
}

/** Fold the grouped rows once more: `count` them, or aggregate `measure` over them. */
export interface Rollup {
  function: 'count' | 'sum' | 'avg' | 'min' | 'max' | 'median';
  measure?: string | null;
  label?: string | null;
}

/** Rows of a result in some order. */
export interface Rows {
  shown: string[][];
  rows: unknown[][];
  row_count: number;
  offset: number;
  truncated: boolean;
}

/** A file that could not be read, and why. */
export interface SkippedFile {
  file: string;
  message: string;
}

/** A source as everybody who may ask it sees it. */
export interface SourceOut {
  id: string;
  name: string;
  type: string;
  workspace_id: string | null;
  status: string;
  /** why it could not be read last time; null: it could */
  problem: string | null;
  revision: number;
  refreshed_at: string | null;
  created_at: string;
  /** values of columns that are not personal may go to the language model */
  model_values: boolean;
}

/** A page of sources. */
export interface SourcesOut {
  items: SourceOut[];
  next: string | null;
}

/** What this server can do, before anything is asked. */
export interface Status {
  connected: boolean;
  code: 'no_platform' | 'no_hub_token' | 'not_signed_in' | 'unreachable' | null;
  /** why not, for the person; null: it is connected */
  message: string | null;
  /** the API's `/auth/me` */
  me: Record<string, unknown> | null;
  /** where the API's own pages are; null: not known here */
  pages_url: string | null;
}

/** A tenant, by name. */
export interface TenantRef {
  id: string;
  name: string;
  slug: string;
}

/** Milliseconds of each step; null: not reached. */
export interface TimingsOut {
  understand: number | null;
  guard: number | null;
  execute: number | null;
  answer: number | null;
  total: number | null;
}

/** From the start of the unit to today (« depuis le début de l'année »); `offset` -1: the same stretch one earlier. */
export interface ToDate {
  kind?: 'to_date';
  unit: 'day' | 'week' | 'month' | 'quarter' | 'semester' | 'year' | 'fiscal_year' | 'fiscal_quarter';
  /** In units: -1 with unit year is « N-1 à date » */
  offset?: number;
}

/** A question and what it came to. */
export interface TurnOut {
  question: string;
  plan: Record<string, unknown> | null;
  sql: string | null;
  asked_back: string | null;
  query_id: string | null;
  created_at: string;
}

/** What was understood of an upload. */
export interface Understood {
  files: UnderstoodFile[];
  skipped: SkippedFile[];
}

/** A column of a file, as it was read. */
export interface UnderstoodColumn {
  name: string;
  header: string;
  type: 'integer' | 'decimal' | 'float' | 'text' | 'boolean' | 'date' | 'timestamp' | 'timestamptz' | 'time' | 'other';
  format: string | null;
  nulls: number;
  /** sentences: what a person had better confirm or correct */
  doubts: string[];
  bad_cells: BadCell[];
  bad_cell_count: number;
  /** a person has decided it */
  overridden: boolean;
}

/** A file, or one sheet of a workbook, as it was read. */
export interface UnderstoodFile {
  file: string;
  table: string;
  kind: 'csv' | 'xlsx' | 'parquet';
  sheet: string | null;
  encoding: string | null;
  delimiter: string | null;
  header_line: number | null;
  rows: number;
  notes: string[];
  columns: UnderstoodColumn[];
  first_rows: unknown[][];
}

/** A file that came in. It is kept a day, or until it becomes part of a source. */
export interface UploadOut {
  id: string;
  name: string;
  size_bytes: number;
  sha256: string;
}

/** A named corner of the tenant. */
export interface WorkspaceOut {
  id: string;
  name: string;
  settings: Record<string, unknown>;
  created_at: string;
}

/** A page of workspaces. */
export interface WorkspacesOut {
  items: WorkspaceOut[];
  next: string | null;
}

/** An answer as this half gives it: the API's, with its values written out. */
export type Answer = AnswerOut & AnswerShown;

/** What comes back for a question: always exactly one of four. */
export type Outcome = Answer | ClarificationOut | RefusalOut | FailureOut;
