-- plan
{"version": 1, "kind": "rows", "entity": "client", "measures": [], "dimensions": [], "columns": [{"alias": "nom", "field": "client.nom", "via": [], "label": null}], "distinct": false, "filters": [], "any_of": [], "related": [{"entity": "commande", "negated": true, "period": {"kind": "last", "count": 60, "unit": "day", "complete": false, "next": false}, "time": null, "filters": [], "op": "ge", "value": 1, "via": ["client_facture"]}], "having": [], "period": null, "time": null, "comparison": null, "order": [], "limit": null, "limit_per": null, "ties": false, "rollup": null, "ignored_defaults": []}
-- columns
--   nom: column, text « Client »
-- postgres
SELECT
  client.nom AS nom
FROM clients AS client
WHERE
  NOT EXISTS(
    SELECT
      1
    FROM commandes AS commande
    WHERE
      commande.client_id = client.id
      AND commande.statut <> 'ANN'
      AND commande.jour >= CAST('2026-09-24' AS DATE)
      AND commande.jour < CAST('2026-11-23' AS DATE)
  )
ORDER BY
  client.id
-- mysql
SELECT
  client.nom AS nom
FROM clients AS client
WHERE
  NOT EXISTS(
    SELECT
      1
    FROM commandes AS commande
    WHERE
      commande.client_id = client.id
      AND commande.statut <> 'ANN' COLLATE utf8mb4_bin
      AND commande.jour >= CAST('2026-09-24' AS DATE)
      AND commande.jour < CAST('2026-11-23' AS DATE)
  )
ORDER BY
  client.id
-- duckdb
SELECT
  client.nom AS nom
FROM clients AS client
WHERE
  NOT EXISTS(
    SELECT
      1
    FROM commandes AS commande
    WHERE
      commande.client_id = client.id
      AND commande.statut <> 'ANN'
      AND commande.jour >= CAST('2026-09-24' AS DATE)
      AND commande.jour < CAST('2026-11-23' AS DATE)
  )
ORDER BY
  client.id
