-- Tables of a small sales base: five that the policy lists, and four that it does not.
DROP DATABASE IF EXISTS rh;
CREATE DATABASE rh DEFAULT CHARACTER SET utf8mb4;
CREATE TABLE clients (
  id int PRIMARY KEY,
  tenant_id varchar(120) NOT NULL,
  nom varchar(120) NOT NULL,
  ville varchar(120),
  region varchar(120),
  segment varchar(120),
  email varchar(120),
  cree_le datetime
) DEFAULT CHARSET=utf8mb4;
CREATE TABLE commandes (
  id int PRIMARY KEY,
  tenant_id varchar(120) NOT NULL,
  client_id int,
  date_commande date,
  statut varchar(120),
  montant_ht decimal(12,2),
  montant_ttc decimal(12,2),
  remise decimal(12,2)
) DEFAULT CHARSET=utf8mb4;
CREATE TABLE lignes_commande (
  id int PRIMARY KEY,
  tenant_id varchar(120) NOT NULL,
  commande_id int,
  produit_id int,
  quantite int,
  prix_unitaire decimal(12,2)
) DEFAULT CHARSET=utf8mb4;
CREATE TABLE produits (
  id int PRIMARY KEY,
  tenant_id varchar(120) NOT NULL,
  nom varchar(120) NOT NULL,
  categorie varchar(120),
  prix_catalogue decimal(12,2),
  cout decimal(12,2)
) DEFAULT CHARSET=utf8mb4;
CREATE TABLE `Chiffre d'affaires mensuel` (
  mois date,
  montant decimal(12,2),
  tenant_id varchar(120) NOT NULL
) DEFAULT CHARSET=utf8mb4;
CREATE TABLE salaires (
  id int PRIMARY KEY,
  tenant_id varchar(120) NOT NULL,
  employe varchar(120),
  salaire decimal(12,2)
) DEFAULT CHARSET=utf8mb4;
CREATE TABLE utilisateurs (
  id int PRIMARY KEY,
  tenant_id varchar(120) NOT NULL,
  login varchar(120),
  mot_de_passe varchar(120)
) DEFAULT CHARSET=utf8mb4;
CREATE TABLE rh.clients (
  id int PRIMARY KEY,
  tenant_id varchar(120) NOT NULL,
  nom varchar(120) NOT NULL,
  ville varchar(120),
  region varchar(120),
  segment varchar(120),
  email varchar(120),
  cree_le datetime
) DEFAULT CHARSET=utf8mb4;
CREATE TABLE rh.salaires (
  id int PRIMARY KEY,
  tenant_id varchar(120) NOT NULL,
  employe varchar(120),
  salaire decimal(12,2)
) DEFAULT CHARSET=utf8mb4;
