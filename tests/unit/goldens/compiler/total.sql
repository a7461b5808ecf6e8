-- plan
{"measures": [{"alias": "ca", "measure": "commande.ca"}, {"alias": "nb", "measure": "commande.nb"}]}
-- columns
--   ca: measure, currency « CA »
--   nb: measure, integer « Commandes »
-- postgres
SELECT
  SUM(commande.montant) AS ca,
  COUNT(*) AS nb
FROM commandes AS commande
WHERE
  commande.statut <> 'ANN'
-- mysql
SELECT
  SUM(commande.montant) AS ca,
  COUNT(*) AS nb
FROM commandes AS commande
WHERE
  commande.statut <> 'ANN' COLLATE utf8mb4_bin
-- duckdb
SELECT
  SUM(commande.montant) AS ca,
  COUNT(*) AS nb
FROM commandes AS commande
WHERE
  commande.statut <> 'ANN'
