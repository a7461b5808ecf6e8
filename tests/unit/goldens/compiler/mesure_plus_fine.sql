-- plan
{"measures": [{"alias": "ca", "measure": "commande.ca_fin"}], "dimensions": [{"alias": "cat", "field": "produit.categorie"}]}
-- columns
--   cat: dimension, text « Catégorie »
--   ca: measure, decimal « CA net »
-- postgres
SELECT
  produit.categorie AS cat,
  SUM(ligne.montant) AS ca
FROM lignes AS ligne
LEFT JOIN produits AS produit
  ON ligne.produit_id = produit.id
LEFT JOIN commandes AS commande
  ON ligne.commande_id = commande.id
WHERE
  commande.statut <> 'ANN'
GROUP BY
  produit.categorie
ORDER BY
  cat ASC
-- mysql
SELECT
  CAST(produit.categorie AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin AS cat,
  SUM(ligne.montant) AS ca
FROM lignes AS ligne
LEFT JOIN produits AS produit
  ON ligne.produit_id = produit.id
LEFT JOIN commandes AS commande
  ON ligne.commande_id = commande.id
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
  SUM(ligne.montant) AS ca
FROM lignes AS ligne
LEFT JOIN produits AS produit
  ON ligne.produit_id = produit.id
LEFT JOIN commandes AS commande
  ON ligne.commande_id = commande.id
WHERE
  commande.statut <> 'ANN'
GROUP BY
  produit.categorie
ORDER BY
  cat ASC
