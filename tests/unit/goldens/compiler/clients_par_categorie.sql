-- plan
{"measures": [{"alias": "n", "measure": "client.nb_clients"}], "dimensions": [{"alias": "cat", "field": "produit.categorie"}]}
-- columns
--   cat: dimension, text « Catégorie »
--   n: measure, integer « Clients »
-- notes
--   « Clients » : compté à travers « Lignes », chacun une seule fois par groupe.
-- postgres
SELECT
  produit.categorie AS cat,
  COUNT(DISTINCT client.id) AS n
FROM lignes AS ligne
LEFT JOIN produits AS produit
  ON ligne.produit_id = produit.id
LEFT JOIN commandes AS commande
  ON ligne.commande_id = commande.id
LEFT JOIN clients AS client
  ON commande.client_id = client.id
WHERE
  commande.statut <> 'ANN'
GROUP BY
  produit.categorie
ORDER BY
  cat ASC
-- mysql
SELECT
  CAST(produit.categorie AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin AS cat,
  COUNT(DISTINCT client.id) AS n
FROM lignes AS ligne
LEFT JOIN produits AS produit
  ON ligne.produit_id = produit.id
LEFT JOIN commandes AS commande
  ON ligne.commande_id = commande.id
LEFT JOIN clients AS client
  ON commande.client_id = client.id
WHERE
  commande.statut <> 'ANN' COLLATE utf8mb4_bin
GROUP BY
  CAST(produit.categorie AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin
ORDER BY
  (
    CAST(produit.categorie AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin
  ) IS NULL ASC,
  cat ASC
-- duckdb
SELECT
  produit.categorie AS cat,
  COUNT(DISTINCT client.id) AS n
FROM lignes AS ligne
LEFT JOIN produits AS produit
  ON ligne.produit_id = produit.id
LEFT JOIN commandes AS commande
  ON ligne.commande_id = commande.id
LEFT JOIN clients AS client
  ON commande.client_id = client.id
WHERE
  commande.statut <> 'ANN'
GROUP BY
  produit.categorie
ORDER BY
  cat ASC
