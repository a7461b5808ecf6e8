-- plan
{"kind": "rows", "entity": "client", "columns": [{"alias": "nom", "field": "client.nom"}], "related": [{"entity": "commande", "op": "lt", "value": 2, "via": ["client_facture"]}]}
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
    FROM (
      SELECT
        commande.client_id AS cle
      FROM commandes AS commande
      WHERE
        commande.statut <> 'ANN'
      GROUP BY
        commande.client_id
      HAVING
        COUNT(*) >= 2
    ) AS nb_commande
    WHERE
      nb_commande.cle = client.id
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
    FROM (
      SELECT
        commande.client_id AS cle
      FROM commandes AS commande
      WHERE
        commande.statut <> 'ANN' COLLATE utf8mb4_bin
      GROUP BY
        commande.client_id
      HAVING
        COUNT(*) >= 2
    ) AS nb_commande
    WHERE
      nb_commande.cle = client.id
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
    FROM (
      SELECT
        commande.client_id AS cle
      FROM commandes AS commande
      WHERE
        commande.statut <> 'ANN'
      GROUP BY
        commande.client_id
      HAVING
        COUNT(*) >= 2
    ) AS nb_commande
    WHERE
      nb_commande.cle = client.id
  )
ORDER BY
  client.id
