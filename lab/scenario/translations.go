package scenario

import "strings"

// translated puts the words of .NET, Windows and wget in other languages into
// English, in which scenarios have them.
var translated = strings.NewReplacer(flattened(map[string][]string{
	"The remote certificate is invalid according to the validation procedure": {
		"Das Remotezertifikat ist laut Validierungsverfahren ungültig", "Le certificat distant n'est pas valide selon la procédure de validation",
		"El certificado remoto no es válido según el procedimiento de validación", "Il certificato remoto non è stato ritenuto valido dalla procedura di convalida",
		"検証プロシージャによると、リモート証明書は無効です", "根据验证过程，远程证书无效",
	},
	"Could not create SSL/TLS secure channel": {
		"Es konnte kein geschützter SSL/TLS-Kanal erstellt werden", "Impossible de créer un canal sécurisé SSL/TLS", "No se puede crear un canal seguro SSL/TLS",
		"Impossibile creare un canale protetto SSL/TLS", "SSL/TLS のセキュリティで保護されているチャネルを作成できませんでした", "未能创建 SSL/TLS 安全通道",
	},
	"Could not establish trust relationship for the SSL/TLS secure channel": {
		"Für den geschützten SSL/TLS-Kanal konnte keine Vertrauensstellung hergestellt werden", "Impossible d'établir une relation de confiance pour le canal sécurisé SSL/TLS",
		"No se puede establecer una relación de confianza para el canal seguro SSL/TLS", "Impossibile stabilire una relazione di trust per il canale protetto SSL/TLS",
		"SSL/TLS のセキュリティで保護されているチャネルに対する信頼関係を確立できませんでした", "未能为 SSL/TLS 安全通道建立信任关系",
	},
	"The certificate chain was issued by an authority that is not trusted": {
		"Die Zertifikatkette wurde von einer nicht vertrauenswürdigen Zertifizierungsstelle ausgestellt", "La chaîne de certificats a été fournie par une autorité qui n'est pas approuvée",
		"La cadena de certificación fue emitida por una entidad en la que no se confía", "信頼されていない機関によって証明書チェーンが発行されました", "证书链是由不受信任的颁发机构颁发的",
	},
	"A fatal alert was received from the remote endpoint. The TLS protocol defined fatal alert code is ": {
		"Es wurde eine schwerwiegende Warnung vom Remoteendpunkt empfangen. Die schwerwiegende Warnung hat folgenden für das TLS-Protokoll definierten Code: ",
		"Une alerte irrécupérable a été reçue du point de terminaison distant. Le code d'alerte irrécupérable défini par le protocole TLS est ",
	},
	"ERROR: The certificate of is not trusted. ": {"FEHLER: Dem Zertifikat von »"},
})...)

// flattened makes pairs for a replacer, of each text and what stands for it.
func flattened(of map[string][]string) (pairs []string) {
	for english, others := range of {
		for _, other := range others {
			pairs = append(pairs, other, english)
		}
	}
	return pairs
}
