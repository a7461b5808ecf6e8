"""Claude: the questions that the local engine hands on, answered by a language model inside the same walls.

The road of one question (``asking``)::

    context ─► prompt ─► model ─► one tool ─► checked ─► run (a callable the engine gives) ─► result
    what of      text     the wire   give_plan     │           guard, source: not known here
    the source            (adapter)  give_sql      └─ not valid: sent back once; refused by the guard or the database:
                                     ask_back         reason and known names go back, twice at most; then an honest
                                     refuse           failure

Vocabulary. A *model* is whatever takes a :class:`wire.ModelRequest` and gives a :class:`wire.ModelReply`: the adapter
over the vendor's SDK, a recording of its traffic, a replay. A *token* of a value (``@v1``) stands in a prompt for a stored
value that may not leave the machine; it is put back in what comes back. The *use* is what a question cost.

What leaves the machine: the question, the conversation (questions and plans), names, types, labels and comments of what
the person may see, and the values that the tenant opened. Never a row of a result, never an engine's error text.

Trusted with nothing: what the model says is data. A plan is validated and compiled, SQL passes the guard, a sentence of
refusal is shown as text. Comments and values of a database are fenced as data, and nothing that they say can reach more
than these four tools reach.

Rejected: tools that let the model look at rows (they would leave the machine); an agent that explores the schema over
many turns (slow, dear, and its cost cannot be told beforehand); the model's own dates (a period is symbolic, and code
resolves it).

Remaining risk: SQL that is valid and means something else than the question. It is marked exploratory, its reading is
derived from the statement that ran, and ``datapilot eval`` counts it.

Nothing here imports the SDK before the first question: ``adapter`` does, lazily, and it alone.
"""
