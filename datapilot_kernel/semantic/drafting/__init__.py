"""How a draft is made, one idea per module: tables, columns, values, measures, joins, first questions."""
