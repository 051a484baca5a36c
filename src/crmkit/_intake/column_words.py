"""What logs call their columns in English, German, French, Spanish, Chinese and Japanese.

Names stand as they are compared: in lower case, without accents, spaces and punctuation. Those
that tell most stand first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NAMES: Final[Mapping[str, str]] = {
    "customer": """
        customerid customer custid custno customernumber customerno customerkey customercode
        clientid clientnumber client memberid membernumber member userid user accountid account
        accountnumber buyerid buyer shopperid subscriberid donorid patientid householdid
        householdkey loyaltyid cardid contactid visitorid personid email emailaddress
        customeremail customername
        kundennummer kundennr kundenid kdnr kunde kundenkonto debitorennummer debitor
        mitgliedsnummer kaufer besteller klantnummer klant
        idclient codeclient numeroclient numeroduclient nclient noclient acheteur adherent
        idcliente codigocliente codigodecliente numerocliente numerodecliente numcliente cliente
        codicecliente comprador socio
    客户编号 客户号 客户id 客户代码 客户 会员编号 会员号 会员id 会员 用户编号 用户id 用户
    顾客编号 顾客 买家
        客戶編號 客戶代號 客戶id 客戶 會員編號 會員id 會員 用戶編號 用戶 顧客編號 買家
    顧客id 顧客番号 顧客コード 顧客 会員番号 会員コード 得意先コード 得意先 取引先コード
    お客様番号 ユーザーid
    """,
    "date": """
        orderdate invoicedate purchasedate transactiondate salesdate saledate date datetime
        ordertimestamp orderdatetime orderedat createdat timestamp orderpurchasetimestamp
        transactiontime purchasetime orderday dateofpurchase bookingdate posteddate time day
        lastpurchase lastpurchasedate lastorder lastorderdate
        bestelldatum kaufdatum rechnungsdatum auftragsdatum belegdatum verkaufsdatum
        buchungsdatum datum zeitstempel tag bestelltam
        datecommande datedecommande datedachat dateachat datefacture datedefacture datevente jour
        fechapedido fechadepedido fechacompra fechadecompra fechafactura fechaventa fecha data
    下单日期 下单时间 订单日期 订单时间 购买日期 购买时间 交易日期 交易时间 消费日期 消费时间
    付款时间 支付时间 销售日期
        发票日期 日期 时间
    下單日期 下單時間 訂單日期 訂單時間 購買日期 購買時間 交易時間 消費日期 銷售日期 發票日期
    時間
        注文日 注文日時 受注日 購入日 購入日時 購買日 売上日 取引日 伝票日付 日付 日時 年月日
    """,
    "amount": """
        amount totalamount netamount orderamount ordertotal ordervalue lineamount linetotal
        salesamount saleamount invoiceamount transactionamount purchaseamount netsales revenue
        sales totalprice total grandtotal totalspent totalspend spend spent turnover salesvalue
        dollarvalue value paymentvalue payment grossamount subtotal extendedprice
        betrag gesamtbetrag rechnungsbetrag nettobetrag bruttobetrag umsatz bestellwert warenwert
        summe erlos gesamtpreis wert
        montant montanttotal montantttc montantht chiffredaffaires prixtotal
        importe importetotal importo monto montototal ventas facturacion valor
        金额 订单金额 实付金额 支付金额 交易金额 消费金额 销售金额 销售额 总金额 总价 应付金额
        金額 訂單金額 實付金額 交易金額 消費金額 銷售金額 銷售額 總金額 總價
        売上金額 購入金額 購買金額 注文金額 合計金額 税込金額 請求金額 売上 合計
    """,
    "quantity": """
        quantity qty units unitssold orderquantity menge anzahl stuckzahl stuck quantite qte
        cantidad unidades quantita 数量 件数 數量 件數 個数
    """,
    "price": """
        unitprice priceperunit itemprice price einzelpreis stuckpreis preis prixunitaire prix
        preciounitario precio prezzo 单价 价格 單價 價格 単価
    """,
    "order_id": """
        orderid ordernumber orderno order invoiceid invoiceno invoicenumber invoice transactionid
        transactionnumber transactionno receiptid receiptno receipt basketid basket ticketid
        bestellnummer bestellnr bestellung auftragsnummer auftrag rechnungsnummer rechnungsnr
        rechnung belegnummer beleg bonnummer
        numerocommande numerodecommande ncommande commande numerofacture facture
        numeropedido numerodepedido idpedido pedido numerofactura factura
        订单号 订单编号 订单id 单号 交易号 流水号 訂單編號 訂單號 訂單id 單號
        注文番号 注文id 受注番号 伝票番号 オーダー番号
    """,
    "product": """
        productid productcode sku stockcode itemid itemcode articleid product item article
        productname description
        artikelnummer artikelnr artikel produktnummer produkt
        codeproduit reference produit codigoproducto producto articulo
        产品编号 产品 商品编号 商品编码 商品名称 商品 產品編號 產品 商品編號 商品コード 商品名
    """,
    "cost": """
        cost totalcost costamount cogs costofgoods kosten wareneinsatz einstandswert cout
        couttotal coste costo 成本 原価 仕入額
    """,
    "orders": """
        orders orderscount ordercount numberoforders norders numorders purchases
        numberofpurchases npurchases transactions frequency totalorders
        bestellungen anzahlbestellungen commandes nombredecommandes pedidos numerodepedidos
        订单数 购买次数 消费次数 訂單數 購買次數 注文回数 購入回数
    """,
}
"""Names of each role; `orders` is the number of orders in a table of customers."""

CONTACTS: Final = """
    name firstname lastname surname fullname customername clientname company companyname contact
    contactname email emailaddress customeremail mail phone phonenumber mobile telephone tel
    address street city zip zipcode postcode postalcode
    vorname nachname firma ansprechpartner telefon telefonnummer handy adresse strasse ort plz
    nom prenom societe ville codepostal nombre apellidos empresa telefono direccion ciudad
    姓名 名称 客户名称 客户姓名 公司 邮箱 电话 手机 手机号 手机号码 地址 客戶名稱 電話 手機
    氏名 名前 顧客名 会社名 メール メールアドレス 電話番号 住所
"""
"""Names of columns that say who a customer is and how to reach them."""
